import protobuf from "protobufjs";

/**
 * The messages of ONNX files, as field name → number and type: IR version 14 (onnx 1.23, `onnx-ml.proto`), with every
 * field, so that reading and writing a file loses nothing. `[]` marks repeated fields, `[packed]` those that are written
 * packed. Presence is kept (proto2), so a field that was set to its default is written again. Enumerations are int32.
 */
const messages = {
  ModelProto: {
    irVersion: [1, "int64"],
    producerName: [2, "string"],
    producerVersion: [3, "string"],
    domain: [4, "string"],
    modelVersion: [5, "int64"],
    docString: [6, "string"],
    graph: [7, "GraphProto"],
    opsetImport: [8, "OperatorSetIdProto[]"],
    metadataProps: [14, "StringStringEntryProto[]"],
    trainingInfo: [20, "TrainingInfoProto[]"],
    functions: [25, "FunctionProto[]"],
    configuration: [26, "DeviceConfigurationProto[]"],
  },
  OperatorSetIdProto: { domain: [1, "string"], version: [2, "int64"] },
  StringStringEntryProto: { key: [1, "string"], value: [2, "string"] },
  DeviceConfigurationProto: { name: [1, "string"], numDevices: [2, "int32"], device: [3, "string[]"] },
  TrainingInfoProto: {
    initialization: [1, "GraphProto"],
    algorithm: [2, "GraphProto"],
    initializationBinding: [3, "StringStringEntryProto[]"],
    updateBinding: [4, "StringStringEntryProto[]"],
  },
  FunctionProto: {
    name: [1, "string"],
    sinceVersion: [2, "int64"],
    status: [3, "int32"],
    input: [4, "string[]"],
    output: [5, "string[]"],
    attribute: [6, "string[]"],
    node: [7, "NodeProto[]"],
    docString: [8, "string"],
    opsetImport: [9, "OperatorSetIdProto[]"],
    domain: [10, "string"],
    attributeProto: [11, "AttributeProto[]"],
    valueInfo: [12, "ValueInfoProto[]"],
    overload: [13, "string"],
    metadataProps: [14, "StringStringEntryProto[]"],
  },
  GraphProto: {
    node: [1, "NodeProto[]"],
    name: [2, "string"],
    initializer: [5, "TensorProto[]"],
    docString: [10, "string"],
    input: [11, "ValueInfoProto[]"],
    output: [12, "ValueInfoProto[]"],
    valueInfo: [13, "ValueInfoProto[]"],
    quantizationAnnotation: [14, "TensorAnnotation[]"],
    sparseInitializer: [15, "SparseTensorProto[]"],
    metadataProps: [16, "StringStringEntryProto[]"],
  },
  TensorAnnotation: { tensorName: [1, "string"], quantParameterTensorNames: [2, "StringStringEntryProto[]"] },
  NodeProto: {
    input: [1, "string[]"],
    output: [2, "string[]"],
    name: [3, "string"],
    opType: [4, "string"],
    attribute: [5, "AttributeProto[]"],
    docString: [6, "string"],
    domain: [7, "string"],
    overload: [8, "string"],
    metadataProps: [9, "StringStringEntryProto[]"],
    deviceConfigurations: [10, "NodeDeviceConfigurationProto[]"],
  },
  NodeDeviceConfigurationProto: {
    configurationId: [1, "string"],
    shardingSpec: [2, "ShardingSpecProto[]"],
    pipelineStage: [3, "int32"],
  },
  ShardingSpecProto: {
    tensorName: [1, "string"],
    device: [2, "int64[]"],
    indexToDeviceGroupMap: [3, "IntIntListEntryProto[]"],
    shardedDim: [4, "ShardedDimProto[]"],
  },
  IntIntListEntryProto: { key: [1, "int64"], value: [2, "int64[]"] },
  ShardedDimProto: { axis: [1, "int64"], simpleSharding: [2, "SimpleShardedDimProto[]"] },
  SimpleShardedDimProto: { dimValue: [1, "int64"], dimParam: [2, "string"], numShards: [3, "int64"] },
  AttributeProto: {
    name: [1, "string"],
    f: [2, "float"],
    i: [3, "int64"],
    s: [4, "bytes"],
    t: [5, "TensorProto"],
    g: [6, "GraphProto"],
    floats: [7, "float[]"],
    ints: [8, "int64[]"],
    strings: [9, "bytes[]"],
    tensors: [10, "TensorProto[]"],
    graphs: [11, "GraphProto[]"],
    docString: [13, "string"],
    tp: [14, "TypeProto"],
    typeProtos: [15, "TypeProto[]"],
    type: [20, "int32"],
    refAttrName: [21, "string"],
    sparseTensor: [22, "SparseTensorProto"],
    sparseTensors: [23, "SparseTensorProto[]"],
  },
  ValueInfoProto: {
    name: [1, "string"],
    type: [2, "TypeProto"],
    docString: [3, "string"],
    metadataProps: [4, "StringStringEntryProto[]"],
  },
  TypeProto: {
    tensorType: [1, "TensorTypeProto"],
    sequenceType: [4, "ElementTypeProto"],
    mapType: [5, "MapTypeProto"],
    denotation: [6, "string"],
    opaqueType: [7, "OpaqueTypeProto"],
    sparseTensorType: [8, "TensorTypeProto"],
    optionalType: [9, "ElementTypeProto"],
  },
  TensorTypeProto: { elemType: [1, "int32"], shape: [2, "TensorShapeProto"] },
  ElementTypeProto: { elemType: [1, "TypeProto"] },
  MapTypeProto: { keyType: [1, "int32"], valueType: [2, "TypeProto"] },
  OpaqueTypeProto: { domain: [1, "string"], name: [2, "string"], parameters: [3, "TypeProto[]"] },
  TensorShapeProto: { dim: [1, "DimensionProto[]"] },
  DimensionProto: { dimValue: [1, "int64"], dimParam: [2, "string"], denotation: [3, "string"] },
  TensorProto: {
    dims: [1, "int64[]"],
    dataType: [2, "int32"],
    segment: [3, "SegmentProto"],
    floatData: [4, "float[packed]"],
    int32Data: [5, "int32[packed]"],
    stringData: [6, "bytes[]"],
    int64Data: [7, "int64[packed]"],
    name: [8, "string"],
    rawData: [9, "bytes"],
    doubleData: [10, "double[packed]"],
    uint64Data: [11, "uint64[packed]"],
    docString: [12, "string"],
    externalData: [13, "StringStringEntryProto[]"],
    dataLocation: [14, "int32"],
    metadataProps: [16, "StringStringEntryProto[]"],
  },
  SegmentProto: { begin: [1, "int64"], end: [2, "int64"] },
  SparseTensorProto: { values: [1, "TensorProto"], indices: [2, "TensorProto"], dims: [3, "int64[]"] },
} as const satisfies Record<string, Record<string, readonly [id: number, type: string]>>;

const root = protobuf.Root.fromJSON({ nested: { onnx: { nested: descriptors() } } });

/** protobuf.js's codec for a whole model. */
export const modelType: protobuf.Type = root.lookupType("onnx.ModelProto");

function descriptors(): Record<string, protobuf.IType> {
  const described = Object.entries(messages).map(([name, fields]) => {
    const entries = Object.entries(fields).map(([field, [id, type]]) => [field, fieldOf(id, type)]);
    return [name, { fields: Object.fromEntries(entries) }];
  });
  return Object.fromEntries(described);
}

function fieldOf(id: number, type: string): protobuf.IField & { rule?: string } {
  const [base, mark] = type.split("[");
  return {
    id,
    type: base,
    rule: mark && "repeated",
    options: mark && { packed: mark === "packed]" },
  } as protobuf.IField;
}
