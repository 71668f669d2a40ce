"""KServe's client, unmodified: kserve_client.py host:port"""

import asyncio
import logging
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

ADDRESS = sys.argv[1]
# It logs every error that it raises.
logging.disable(logging.CRITICAL)


def inputs():
    made = []
    for name in ("INPUT0", "INPUT1"):
        tensor = InferInput(name=name, shape=[1, 16], datatype="INT32")
        tensor.set_data_from_numpy(np.arange(16, dtype=np.int32).reshape(1, 16))
        made.append(tensor)
    return made


async def ask():
    client = InferenceGRPCClient(ADDRESS)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("simple")
    print("  ok      health")
    response = await client.infer(InferRequest(model_name="simple", infer_inputs=inputs(), request_id="7"))
    assert response.id == "7"
    sums = {output.name: output for output in response.outputs}["OUTPUT0"].as_numpy()
    assert (sums == np.arange(16) * 2).all(), sums
    print("  ok      infer with raw tensors")
    typed = [InferInput(name=name, shape=[1, 16], datatype="INT32", data=list(range(16))) for name in ("INPUT0", "INPUT1")]
    response = await client.infer(InferRequest(model_name="simple", infer_inputs=typed))
    assert (response.outputs[1].as_numpy() == 0).all()
    print("  ok      infer with typed tensors")
    try:
        await client.infer(InferRequest(model_name="wrong", infer_inputs=inputs()))
        raise AssertionError("a model that does not exist was accepted")
    except Exception as error:
        assert "unknown model" in str(error), error
    print("  ok      errors")
    await client.close()


asyncio.run(ask())
