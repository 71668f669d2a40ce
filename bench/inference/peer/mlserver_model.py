"""The model as MLServer serves models of one's own: it has no runtime for ONNX files."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        # A small model is faster without a second thread to wait for.
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri, options, ["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {given.name: NumpyCodec.decode_input(given) for given in payload.inputs}
        (y,) = self._session.run(["y"], feeds)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", y)])
