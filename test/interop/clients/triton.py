"""Triton's Python client, unmodified: triton.py host:port"""

import queue
import sys

import numpy as np
import tritonclient.grpc as grpc


import checks

ADDRESS = sys.argv[1]
client = grpc.InferenceServerClient(ADDRESS)
SIXTEEN = np.arange(16, dtype=np.int32).reshape(1, 16)
ONES = np.ones((1, 16), dtype=np.int32)


def tensor(name, array, datatype):
    made = grpc.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def simple_inputs(array=SIXTEEN, datatype="INT32"):
    return [tensor("INPUT0", array, datatype), tensor("INPUT1", ONES.astype(array.dtype), datatype)]


def health():
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1")


def metadata():
    server = client.get_server_metadata()
    assert server.name and server.version, server
    for extension in ("classification", "schedule_policy", "model_configuration", "parameters"):
        assert extension in server.extensions, server.extensions
    model = client.get_model_metadata("simple", as_json=True)
    assert model["name"] == "simple" and model["versions"] == ["1"], model
    assert model["platform"] == "onnxruntime_onnx"
    assert model["inputs"][0] == {"name": "INPUT0", "datatype": "INT32", "shape": ["-1", "16"]}, model["inputs"]
    checks.refused(lambda: client.get_model_metadata("wrong"), "Request for unknown model", "NOT_FOUND")


def config():
    found = client.get_model_config("simple", as_json=True)["config"]
    assert found["name"] == "simple" and found["backend"] == "onnxruntime", found
    assert found["input"][0] == {"name": "INPUT0", "data_type": "TYPE_INT32", "dims": ["-1", "16"]}, found
    assert found["instance_group"][0]["kind"] == "KIND_CPU", found


def repository_index():
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {"name": "simple", "version": "1", "state": "READY"} in index, index


def statistics():
    found = client.get_inference_statistics("simple", as_json=True)["model_stats"]
    assert found[0]["name"] == "simple" and int(found[0]["inference_count"]) > 0, found


def infer():
    result = client.infer("simple", simple_inputs(), request_id="7")
    assert (result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()
    assert (result.as_numpy("OUTPUT1") == SIXTEEN - ONES).all()
    assert result.get_response().id == "7" and result.get_response().model_version == "1"


def infer_wanted_outputs_only():
    result = client.infer("simple", simple_inputs(), outputs=[grpc.InferRequestedOutput("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    assert (result.as_numpy("OUTPUT1") == SIXTEEN - ONES).all()


def infer_with_options():
    result = client.infer(
        "simple", simple_inputs(), priority=1, timeout=10_000_000, client_timeout=10, headers={"a": "b"}, parameters={"mine": "x"}
    )
    assert (result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()
    compressed = client.infer("simple", simple_inputs(), compression_algorithm="gzip")
    assert (compressed.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()


def infer_typed_contents():
    from tritonclient.grpc import service_pb2

    request = service_pb2.ModelInferRequest(model_name="simple")
    for name in ("INPUT0", "INPUT1"):
        made = request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        made.contents.int_contents[:] = range(16)
    response = client._client_stub.ModelInfer(request)
    assert (np.frombuffer(response.raw_output_contents[0], dtype=np.int32) == SIXTEEN * 2).all()


def async_infer():
    results = queue.Queue()
    for _ in range(20):
        client.async_infer("simple", simple_inputs(), lambda result, error: results.put((result, error)))
    for _ in range(20):
        result, error = results.get(timeout=20)
        assert error is None, error
        assert (result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()


def async_infer_that_fails():
    results = queue.Queue()
    client.async_infer("wrong", simple_inputs(), lambda result, error: results.put((result, error)))
    result, error = results.get(timeout=20)
    assert result is None and "unknown model" in error.message(), error


def stream():
    results = queue.Queue()
    ours = grpc.InferenceServerClient(ADDRESS)
    ours.start_stream(lambda result, error: results.put((result, error)))
    for number in range(50):
        ours.async_stream_infer("simple", simple_inputs(SIXTEEN * number), request_id=str(number))
    for number in range(50):
        result, error = results.get(timeout=20)
        assert error is None, error
        assert result.get_response().id == str(number)
        assert (result.as_numpy("OUTPUT0") == SIXTEEN * number + ONES).all()
    ours.async_stream_infer("simple", simple_inputs()[:1], request_id="bad")
    result, error = results.get(timeout=20)
    assert "expected 2 inputs but got 1 inputs" in error.message(), error
    ours.async_stream_infer("simple", simple_inputs(), request_id="after")
    result, error = results.get(timeout=20)
    assert error is None and result.get_response().id == "after"
    ours.stop_stream()
    ours.close()


def stream_that_fails_with_a_status():
    results = queue.Queue()
    ours = grpc.InferenceServerClient(ADDRESS)
    ours.start_stream(lambda result, error: results.put((result, error)), headers={"triton_grpc_error": "true"})
    ours.async_stream_infer("simple", simple_inputs()[:1])
    result, error = results.get(timeout=20)
    assert error.status() == "StatusCode.INVALID_ARGUMENT", error.status()
    ours.stop_stream()
    ours.close()


def strings():
    texts = np.array([str(number).encode() for number in range(16)], dtype=np.object_).reshape(1, 16)
    ones = np.array([b"1"] * 16, dtype=np.object_).reshape(1, 16)
    result = client.infer("simple_string", [tensor("INPUT0", texts, "BYTES"), tensor("INPUT1", ones, "BYTES")])
    assert [int(text) for text in result.as_numpy("OUTPUT0")[0]] == list(range(1, 17))
    words = np.array([["", "häß", "🙂", "x" * 5000]], dtype=np.object_)
    echo = client.infer("simple_identity", [tensor("INPUT0", words, "BYTES")]).as_numpy("OUTPUT0")
    assert [word.decode() for word in echo[0]] == list(words[0])


def int8():
    result = client.infer("simple_int8", simple_inputs(SIXTEEN.astype(np.int8), "INT8"))
    assert result.as_numpy("OUTPUT0").dtype == np.int8
    assert (result.as_numpy("OUTPUT1") == SIXTEEN - ONES).all()


def shapes():
    rows = np.arange(7 * 16, dtype=np.int32).reshape(7, 16)
    inputs = [tensor("INPUT0", rows, "INT32"), tensor("INPUT1", rows, "INT32")]
    assert (client.infer("simple", inputs).as_numpy("OUTPUT0") == rows * 2).all()
    scalar = client.infer("simple_scalar", [tensor("INPUT0", np.array(2.5, dtype=np.float32), "FP32")])
    assert scalar.as_numpy("OUTPUT0").shape == () and scalar.as_numpy("OUTPUT0") == 2.5
    empty = np.empty((0, 16), dtype=np.int32)
    inputs = [tensor("INPUT0", empty, "INT32"), tensor("INPUT1", empty, "INT32")]
    assert client.infer("simple", inputs).as_numpy("OUTPUT0").shape == (0, 16)


def classification():
    rows = np.array([[0.1, 0.6, 0.3, 0.0], [4, 3, 2, 1]], dtype=np.float32)
    outputs = [grpc.InferRequestedOutput("PROBABILITIES", class_count=2)]
    found = client.infer("classes", [tensor("INPUT", rows, "FP32")], outputs=outputs).as_numpy("PROBABILITIES")
    assert [text.decode() for text in found[0]] == ["0.600000:1:dog", "0.300000:2:bird"], found
    assert [text.decode() for text in found[1]] == ["4.000000:0:cat", "3.000000:1:dog"], found


def errors():
    checks.refused(lambda: client.infer("wrong", simple_inputs()), "Request for unknown model", "NOT_FOUND")
    checks.refused(
        lambda: client.infer("simple", simple_inputs()[:1]), "expected 2 inputs but got 1 inputs", "INVALID_ARGUMENT"
    )
    checks.refused(
        lambda: client.infer("simple", simple_inputs(), outputs=[grpc.InferRequestedOutput("OUTPUT7")]),
        "unexpected output 'OUTPUT7'",
        "INVALID_ARGUMENT",
    )
    checks.refused(lambda: client.get_system_shared_memory_status(), "shared memory is not served", "UNIMPLEMENTED")
    checks.refused(lambda: client.get_cuda_shared_memory_status(), "shared memory is not served", "UNIMPLEMENTED")


def keepalive():
    options = grpc.KeepAliveOptions(keepalive_time_ms=1000, keepalive_timeout_ms=500, http2_max_pings_without_data=0)
    ours = grpc.InferenceServerClient(ADDRESS, keepalive_options=options)
    assert (ours.infer("simple", simple_inputs()).as_numpy("OUTPUT0") == SIXTEEN + ONES).all()
    ours.close()


def asyncio_client():
    import asyncio

    import tritonclient.grpc.aio as aio

    async def ask():
        async with aio.InferenceServerClient(ADDRESS) as ours:
            assert await ours.is_server_ready()
            results = await asyncio.gather(*(ours.infer("simple", simple_inputs()) for _ in range(10)))
            assert all((result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all() for result in results)

            async def requests():
                for number in range(10):
                    yield {"model_name": "simple", "inputs": simple_inputs(), "request_id": str(number)}

            ids = []
            async for result, error in ours.stream_infer(requests()):
                assert error is None, error
                ids.append(result.get_response().id)
            assert ids == [str(number) for number in range(10)], ids

    asyncio.run(ask())


checks.run(
    health,
    metadata,
    config,
    infer,
    infer_wanted_outputs_only,
    infer_with_options,
    infer_typed_contents,
    async_infer,
    async_infer_that_fails,
    stream,
    stream_that_fails_with_a_status,
    strings,
    int8,
    shapes,
    classification,
    errors,
    keepalive,
    asyncio_client,
    repository_index,
    statistics,
)
