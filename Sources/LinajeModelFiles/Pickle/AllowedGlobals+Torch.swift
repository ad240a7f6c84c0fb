extension AllowedGlobals {
    /// PyTorch 1.6 to 2.15: tensors, their storages and types, and the modules of `torch.nn`.
    static let torch = """
        call torch Size device
        call torch._utils _rebuild_device_tensor_from_cpu_tensor _rebuild_device_tensor_from_numpy
        call torch._utils _rebuild_meta_tensor_no_storage _rebuild_nested_tensor _rebuild_parameter
        call torch._utils _rebuild_qtensor _rebuild_sparse_csr_tensor _rebuild_sparse_tensor
        call torch._utils _rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3
        call torch.jit._pickle build_boollist build_doublelist build_intlist build_tensorlist
        call torch.jit._pickle restore_type_tag
        call torch.serialization _get_layout
        new torch Tensor
        new torch._tensor Tensor
        new torch.nn.modules.activation CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh
        new torch.nn.modules.activation LeakyReLU LogSigmoid LogSoftmax Mish MultiheadAttention
        new torch.nn.modules.activation PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d
        new torch.nn.modules.activation Softmin Softplus Softshrink Softsign Tanh Tanhshrink
        new torch.nn.modules.activation Threshold
        new torch.nn.modules.adaptive AdaptiveLogSoftmaxWithLoss
        new torch.nn.modules.batchnorm BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d
        new torch.nn.modules.batchnorm LazyBatchNorm2d LazyBatchNorm3d SyncBatchNorm
        new torch.nn.modules.channelshuffle ChannelShuffle
        new torch.nn.modules.container Container ModuleDict ModuleList ParameterDict ParameterList
        new torch.nn.modules.container Sequential
        new torch.nn.modules.conv Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d
        new torch.nn.modules.conv ConvTranspose3d LazyConv1d LazyConv2d LazyConv3d
        new torch.nn.modules.conv LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
        new torch.nn.modules.distance CosineSimilarity PairwiseDistance
        new torch.nn.modules.dropout AlphaDropout Dropout Dropout1d Dropout2d Dropout3d
        new torch.nn.modules.dropout FeatureAlphaDropout
        new torch.nn.modules.flatten Flatten Unflatten
        new torch.nn.modules.fold Fold Unfold
        new torch.nn.modules.instancenorm InstanceNorm1d InstanceNorm2d InstanceNorm3d
        new torch.nn.modules.instancenorm LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d
        new torch.nn.modules.linear Bilinear Identity LazyLinear Linear
        new torch.nn.modules.linear NonDynamicallyQuantizableLinear
        new torch.nn.modules.loss BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss
        new torch.nn.modules.loss CrossEntropyLoss GaussianNLLLoss HingeEmbeddingLoss HuberLoss
        new torch.nn.modules.loss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss MarginRankingLoss
        new torch.nn.modules.loss MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss
        new torch.nn.modules.loss NLLLoss NLLLoss2d PoissonNLLLoss SmoothL1Loss SoftMarginLoss
        new torch.nn.modules.loss TripletMarginLoss TripletMarginWithDistanceLoss
        new torch.nn.modules.module Module
        new torch.nn.modules.normalization CrossMapLRN2d GroupNorm LayerNorm LocalResponseNorm
        new torch.nn.modules.normalization RMSNorm
        new torch.nn.modules.padding CircularPad1d CircularPad2d CircularPad3d ConstantPad1d
        new torch.nn.modules.padding ConstantPad2d ConstantPad3d ReflectionPad1d ReflectionPad2d
        new torch.nn.modules.padding ReflectionPad3d ReplicationPad1d ReplicationPad2d
        new torch.nn.modules.padding ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d
        new torch.nn.modules.pixelshuffle PixelShuffle PixelUnshuffle
        new torch.nn.modules.pooling AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
        new torch.nn.modules.pooling AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
        new torch.nn.modules.pooling AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d
        new torch.nn.modules.pooling FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d
        new torch.nn.modules.pooling MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d
        new torch.nn.modules.rnn GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell RNNCellBase
        new torch.nn.modules.sparse Embedding EmbeddingBag
        new torch.nn.modules.transformer Transformer TransformerDecoder TransformerDecoderLayer
        new torch.nn.modules.transformer TransformerEncoder TransformerEncoderLayer
        new torch.nn.modules.upsampling Upsample UpsamplingBilinear2d UpsamplingNearest2d
        new torch.nn.parameter Buffer Parameter UninitializedParameter
        data torch BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage
        data torch ComplexFloatStorage DoubleStorage FloatStorage HalfStorage IntStorage
        data torch LongStorage QInt32Storage QInt8Storage QUInt2x4Storage QUInt4x2Storage
        data torch QUInt8Storage ShortStorage Storage TypedStorage UntypedStorage _mkldnn
        data torch bcomplex32 bfloat16 bit bits16 bits1x8 bits2x4 bits4x2 bits8 bool cdouble cfloat
        data torch chalf channels_last channels_last_3d complex128 complex32 complex64
        data torch contiguous_format double float float16 float32 float4_e2m1fn_x2 float64
        data torch float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu half
        data torch int int1 int16 int2 int3 int32 int4 int5 int6 int64 int7 int8 jagged
        data torch legacy_contiguous_format long per_channel_affine
        data torch per_channel_affine_float_qparams per_channel_symmetric per_tensor_affine
        data torch per_tensor_symmetric preserve_format qint32 qint8 quint2x4 quint4x2 quint8 short
        data torch sparse_bsc sparse_bsr sparse_coo sparse_csc sparse_csr strided uint1 uint16
        data torch uint2 uint3 uint32 uint4 uint5 uint6 uint64 uint7 uint8
        data torch.storage TypedStorage UntypedStorage
        """
}
