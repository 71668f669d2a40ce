"""What Python can do at best: grpc.aio and onnxruntime, and nothing of a server around them.

Run as: plain_server.py DESCRIPTORS MODEL PORT
"""

import asyncio
import sys

import grpc
import numpy
import onnxruntime
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def message_classes(path):
    """The classes of the protocol's messages by name, from the descriptors of all protos."""
    pool = descriptor_pool.DescriptorPool()
    with open(path, "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    for file in files.file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}"))


async def main(descriptors, model, port):
    message = message_classes(descriptors)
    options = onnxruntime.SessionOptions()
    # A small model is faster without a second thread to wait for.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    response, ready = message("ModelInferResponse"), message("ModelReadyResponse")(ready=True)

    async def infer(request, _):
        (given,) = request.inputs
        x = numpy.frombuffer(request.raw_input_contents[0], dtype=numpy.float32).reshape(given.shape)
        (y,) = session.run(["y"], {given.name: x})
        reply = response(model_name=request.model_name, raw_output_contents=[y.tobytes()])
        reply.outputs.add(name="y", datatype="FP32", shape=y.shape)
        return reply

    async def model_ready(*_):
        return ready

    def handler(method, name):
        return grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=message(f"{name}Request").FromString,
            response_serializer=message(f"{name}Response").SerializeToString,
        )

    server = grpc.aio.server()
    methods = {"ModelInfer": handler(infer, "ModelInfer"), "ModelReady": handler(model_ready, "ModelReady")}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("inference.GRPCInferenceService", methods)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main(*sys.argv[1:]))
