"""Model control and settings by Triton's Python client, unmodified, of a node in the explicit mode: control.py host:port"""

import json
import sys

import numpy as np
import tritonclient.grpc as grpc

import checks

client = grpc.InferenceServerClient(sys.argv[1])


def infer(rows=1):
    array = np.ones((rows, 16), dtype=np.int32)
    inputs = []
    for name in ("INPUT0", "INPUT1"):
        made = grpc.InferInput(name, [rows, 16], "INT32")
        made.set_data_from_numpy(array)
        inputs.append(made)
    return client.infer("simple", inputs).as_numpy("OUTPUT0")


def unload_and_load():
    client.unload_model("simple")
    assert not client.is_model_ready("simple")
    checks.refused(infer, "Request for unknown model", "NOT_FOUND")
    index = client.get_model_repository_index(as_json=True)["models"]
    states = {entry["name"]: entry["state"] for entry in index}
    assert states["simple"] in ("UNLOADING", "UNAVAILABLE") and states["classes"] == "READY", index
    client.load_model("simple")
    assert client.is_model_ready("simple")
    assert (infer() == 2).all()


def load_with_config():
    config = {"max_batch_size": 4, "dynamic_batching": {"preferred_batch_size": [2, 4]}, "instance_group": [{"count": 2}]}
    client.load_model("simple", config=json.dumps(config))
    found = client.get_model_config("simple", as_json=True)["config"]
    assert found["max_batch_size"] == 4 and found["input"][0]["dims"] == ["16"], found
    assert found["dynamic_batching"]["preferred_batch_size"] == [2, 4], found
    assert found["instance_group"][0]["count"] == 2, found
    assert (infer(4) == 2).all()
    checks.refused(lambda: infer(5), "batch-size must be <= 4; it is 5", "INVALID_ARGUMENT")
    client.load_model("simple")
    assert (infer(5) == 2).all()


def load_with_the_config_that_was_read():
    read = client.get_model_config("simple", as_json=True)["config"]
    client.load_model("simple", config=json.dumps({**read, "instance_group": [{"count": 2}]}))
    changed = client.get_model_config("simple", as_json=True)["config"]
    assert changed == {**read, "instance_group": [{**read["instance_group"][0], "count": 2}]}, changed
    wrong = json.dumps({**read, "output": read["output"][:1]})
    checks.refused(lambda: client.load_model("simple", config=wrong), "config.output is [", "INVALID_ARGUMENT")
    client.load_model("simple", config=json.dumps(read))
    assert (infer() == 2).all()


def refusals():
    checks.refused(lambda: client.load_model("wrong"), "failed to load", "NOT_FOUND")
    checks.refused(
        lambda: client.load_model("simple", config='{"max_batch": 4}'), "config.max_batch is not supported", "INVALID_ARGUMENT"
    )
    files = {"file:1/model.onnx": b"bytes"}
    checks.refused(lambda: client.load_model("simple", config="{}", files=files), "gives a file", "UNIMPLEMENTED")


def log_settings():
    before = client.get_log_settings(as_json=True)["settings"]
    changed = client.update_log_settings({"log_verbose_level": 1}, as_json=True)["settings"]
    assert changed["log_verbose_level"] == {"uint32_param": 1}, changed
    client.update_log_settings({"log_verbose_level": before["log_verbose_level"]["uint32_param"]})
    assert client.get_log_settings(as_json=True)["settings"] == before
    checks.refused(lambda: client.update_log_settings({"log_file": "/tmp/log"}), "log_file", "INVALID_ARGUMENT")


def trace_settings():
    before = client.get_trace_settings(as_json=True)["settings"]
    assert before["trace_level"] == {"value": ["OFF"]} and before["trace_mode"] == {"value": ["triton"]}, before
    own = {"trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "2", "trace_file": "interop.json"}
    changed = client.update_trace_settings(model_name="simple", settings=own, as_json=True)["settings"]
    assert changed["trace_level"] == {"value": ["TIMESTAMPS"]} and changed["trace_count"] == {"value": ["2"]}, changed
    assert client.get_trace_settings(as_json=True)["settings"] == before
    for _ in range(3):
        infer()
    assert client.get_trace_settings("simple", as_json=True)["settings"]["trace_count"] == {"value": ["0"]}
    cleared = client.update_trace_settings(model_name="simple", settings=dict.fromkeys(own), as_json=True)["settings"]
    assert cleared == before, cleared
    checks.refused(lambda: client.get_trace_settings("wrong"), "Request for unknown model", "NOT_FOUND")
    checks.refused(lambda: client.update_trace_settings(settings={"trace_rate": "x"}), "trace_rate", "INVALID_ARGUMENT")
    checks.refused(lambda: client.update_trace_settings(settings={"trace_level": ["TENSORS"]}), "tensors", "UNIMPLEMENTED")


checks.run(unload_and_load, load_with_config, refusals, log_settings, trace_settings)
