"""Triton's Python client of HTTP, unmodified: triton_http.py host:port"""

import sys

import numpy as np
import tritonclient.http as http

import checks

client = http.InferenceServerClient(sys.argv[1], concurrency=4)
SIXTEEN = np.arange(16, dtype=np.int32).reshape(1, 16)
ONES = np.ones((1, 16), dtype=np.int32)


def tensor(name, array, datatype, binary=True):
    made = http.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def simple_inputs(binary=True):
    return [tensor("INPUT0", SIXTEEN, "INT32", binary), tensor("INPUT1", ONES, "INT32", binary)]


def health():
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1")
    assert not client.is_model_ready("wrong")


def metadata():
    server = client.get_server_metadata()
    assert server["name"] and "binary_tensor_data" in server["extensions"], server
    model = client.get_model_metadata("simple")
    assert model["inputs"][0] == {"name": "INPUT0", "datatype": "INT32", "shape": [-1, 16]}, model
    checks.refused(lambda: client.get_model_metadata("wrong"), "Request for unknown model", "404")


def config():
    found = client.get_model_config("simple", "1")
    assert found["name"] == "simple" and found["input"][0]["dims"] == [-1, 16], found
    assert isinstance(found["max_batch_size"], int), found


def repository_index():
    index = client.get_model_repository_index()
    assert any(entry["name"] == "simple" and entry["state"] == "READY" for entry in index), index


def statistics():
    found = client.get_inference_statistics("simple")["model_stats"]
    assert found[0]["name"] == "simple" and isinstance(found[0]["inference_count"], int), found


def infer():
    for binary in (True, False):
        for binary_output in (True, False):
            outputs = [http.InferRequestedOutput(name, binary_data=binary_output) for name in ("OUTPUT0", "OUTPUT1")]
            result = client.infer("simple", simple_inputs(binary), outputs=outputs, request_id="7")
            assert (result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()
            assert (result.as_numpy("OUTPUT1") == SIXTEEN - ONES).all()
            assert result.get_response()["id"] == "7" and result.get_response()["model_version"] == "1"


def infer_wanted_outputs_only():
    result = client.infer("simple", simple_inputs(), outputs=[http.InferRequestedOutput("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    assert (result.as_numpy("OUTPUT1") == SIXTEEN - ONES).all()


def infer_with_options():
    result = client.infer("simple", simple_inputs(), priority=1, timeout=10_000_000, headers={"a": "b"}, parameters={"mine": "x"})
    assert (result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()
    for algorithm in ("gzip", "deflate"):
        result = client.infer(
            "simple", simple_inputs(), request_compression_algorithm=algorithm, response_compression_algorithm=algorithm
        )
        assert (result.as_numpy("OUTPUT0") == SIXTEEN + ONES).all()


def async_infer():
    requests = [client.async_infer("simple", simple_inputs()) for _ in range(20)]
    for request in requests:
        assert (request.get_result().as_numpy("OUTPUT0") == SIXTEEN + ONES).all()


def strings():
    for binary in (True, False):
        texts = np.array([str(number).encode() for number in range(16)], dtype=np.object_).reshape(1, 16)
        ones = np.array([b"1"] * 16, dtype=np.object_).reshape(1, 16)
        inputs = [tensor("INPUT0", texts, "BYTES", binary), tensor("INPUT1", ones, "BYTES", binary)]
        result = client.infer("simple_string", inputs)
        assert [int(text) for text in result.as_numpy("OUTPUT0")[0]] == list(range(1, 17))
        words = np.array([["", "häß".encode(), "🙂".encode(), b"x" * 5000]], dtype=np.object_)
        outputs = [http.InferRequestedOutput("OUTPUT0", binary_data=binary)]
        echo = client.infer("simple_identity", [tensor("INPUT0", words, "BYTES", binary)], outputs=outputs).as_numpy("OUTPUT0")
        given = [word if isinstance(word, bytes) else word.encode() for word in words[0]]
        assert [word if isinstance(word, bytes) else word.encode() for word in echo[0]] == given, echo


def shapes():
    scalar = client.infer("simple_scalar", [tensor("INPUT0", np.array(2.5, dtype=np.float32), "FP32")])
    assert scalar.as_numpy("OUTPUT0").shape == () and scalar.as_numpy("OUTPUT0") == 2.5
    many = np.arange(70_000 * 16, dtype=np.int32).reshape(70_000, 16)
    result = client.infer("simple", [tensor("INPUT0", many, "INT32"), tensor("INPUT1", many, "INT32")])
    assert (result.as_numpy("OUTPUT0") == many * 2).all()


def not_numbers():
    for binary in (True, False):
        for value in (np.nan, np.inf, -np.inf):
            given = np.array(value, dtype=np.float32)
            outputs = [http.InferRequestedOutput("OUTPUT0", binary_data=binary)]
            found = client.infer("simple_scalar", [tensor("INPUT0", given, "FP32", binary)], outputs=outputs)
            assert np.array_equal(found.as_numpy("OUTPUT0"), given, equal_nan=True)


def classification():
    rows = np.array([[0.1, 0.6, 0.3, 0.0], [4, 3, 2, 1]], dtype=np.float32)
    for binary in (True, False):
        outputs = [http.InferRequestedOutput("PROBABILITIES", binary_data=binary, class_count=2)]
        found = client.infer("classes", [tensor("INPUT", rows, "FP32")], outputs=outputs).as_numpy("PROBABILITIES")
        texts = [text.decode() if isinstance(text, bytes) else text for text in found[0]]
        assert texts == ["0.600000:1:dog", "0.300000:2:bird"], found


def sequence():
    def step(value, **options):
        given = tensor("INPUT", np.array([[value]], dtype=np.int32), "INT32")
        return client.infer("simple_sequence", [given], sequence_id=9007199254740993, **options).as_numpy("OUTPUT")[0][0]

    assert step(10, sequence_start=True) == 11
    assert step(20) == 20
    assert step(30, sequence_end=True) == 30


def errors():
    checks.refused(lambda: client.infer("wrong", simple_inputs()), "Request for unknown model", "404")
    checks.refused(lambda: client.infer("simple", simple_inputs()[:1]), "expected 2 inputs but got 1 inputs", "400")
    wrong = [http.InferRequestedOutput("OUTPUT7")]
    checks.refused(lambda: client.infer("simple", simple_inputs(), outputs=wrong), "unexpected output 'OUTPUT7'", "400")


checks.run(
    health,
    metadata,
    config,
    infer,
    repository_index,
    statistics,
    infer_wanted_outputs_only,
    infer_with_options,
    async_infer,
    strings,
    shapes,
    not_numbers,
    classification,
    sequence,
    errors,
)
client.close()
