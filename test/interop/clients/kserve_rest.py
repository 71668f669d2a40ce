"""KServe's client of HTTP, unmodified: kserve_rest.py host:port"""

import asyncio
import logging
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

ADDRESS = f"http://{sys.argv[1]}"
# It logs every error that it raises.
logging.disable(logging.CRITICAL)


def inputs(binary):
    made = []
    for name in ("INPUT0", "INPUT1"):
        tensor = InferInput(name=name, shape=[1, 16], datatype="INT32")
        tensor.set_data_from_numpy(np.arange(16, dtype=np.int32).reshape(1, 16), binary_data=binary)
        made.append(tensor)
    return made


async def ask():
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    assert await client.is_server_live(ADDRESS) and await client.is_server_ready(ADDRESS)
    assert await client.is_model_ready(ADDRESS, "simple")
    print("  ok      health")
    for binary in (True, False):
        request = InferRequest(model_name="simple", infer_inputs=inputs(binary), request_id="7")
        response = await client.infer(ADDRESS, request, model_name="simple")
        assert response.id == "7"
        sums = {output.name: output for output in response.outputs}["OUTPUT0"].as_numpy()
        assert (sums == np.arange(16) * 2).all(), sums
        print(f"  ok      infer with {'binary' if binary else 'JSON'} tensors")
    plain = {"inputs": [{"name": name, "shape": [1, 16], "datatype": "INT32", "data": [list(range(16))]} for name in ("INPUT0", "INPUT1")]}
    response = await client.infer(ADDRESS, plain, model_name="simple")
    assert (response.outputs[1].as_numpy() == 0).all()
    print("  ok      infer with plain objects")
    try:
        await client.infer(ADDRESS, InferRequest(model_name="wrong", infer_inputs=inputs(False)), model_name="wrong")
        raise AssertionError("a model that does not exist was accepted")
    except Exception as error:
        assert "unknown model" in str(error), error
    print("  ok      errors")
    await client.close()


asyncio.run(ask())
