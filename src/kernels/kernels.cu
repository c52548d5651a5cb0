// The kernels that ONNX Runtime has no operators for. All go over the data once, in 16-bit types,
// and compute in float32. Every kernel exists for bfloat16 (_bf16) and for float16 (_f16).

template <bool BF16>
struct Half2;

// Two values of 16 bits in 32, the first in the low half.
template <>
struct Half2<true> {
  static __device__ float2 unpack(unsigned bits) {
    return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u));
  }
  static __device__ unsigned pack(float low, float high) {
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
  }
};

template <>
struct Half2<false> {
  static __device__ float2 unpack(unsigned bits) {
    float2 pair;
    asm("{ .reg .f16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high; }"
        : "=f"(pair.x), "=f"(pair.y)
        : "r"(bits));
    return pair;
  }
  static __device__ unsigned pack(float low, float high) {
    unsigned bits;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
  }
};

struct Floats8 {
  float v[8];
};

template <bool BF16>
__device__ Floats8 unpack8(uint4 bits) {
  const unsigned words[4] = {bits.x, bits.y, bits.z, bits.w};
  Floats8 out;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float2 pair = Half2<BF16>::unpack(words[i]);
    out.v[2 * i] = pair.x;
    out.v[2 * i + 1] = pair.y;
  }
  return out;
}

template <bool BF16>
__device__ uint4 pack8(const Floats8& in) {
  return make_uint4(Half2<BF16>::pack(in.v[0], in.v[1]), Half2<BF16>::pack(in.v[2], in.v[3]),
                    Half2<BF16>::pack(in.v[4], in.v[5]), Half2<BF16>::pack(in.v[6], in.v[7]));
}

__device__ float sum_of_warp(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

// The sum over a block of at most 32 warps, for all of its threads.
__device__ float sum_of_block(float x, float* shared) {
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
  x = sum_of_warp(x);
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  return sum_of_warp(lane < warps ? shared[lane] : 0.f);
}

__device__ float sum_of_squares(const Floats8& in) {
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < 8; i++) sum += in.v[i] * in.v[i];
  return sum;
}

// sum = x + norm(a) · inner; normalised = norm(sum) · outer. One block a row, 8 values a thread.
template <bool BF16>
__device__ void norm_add_norm(const uint4* a, const uint4* x, const uint4* inner, const uint4* outer,
                              uint4* sum, uint4* normalised, int width, float epsilon) {
  __shared__ float shared[2][32];
  const int i = threadIdx.x, vectors = width / 8;
  const long long at = (long long)blockIdx.x * vectors + i;
  const bool inside = i < vectors;
  Floats8 value = {}, total = {};
  if (inside) {
    value = unpack8<BF16>(a[at]);
    total = unpack8<BF16>(x[at]);
  }
  const float scale = rsqrtf(sum_of_block(sum_of_squares(value), shared[0]) / width + epsilon);
  if (inside) {
    const Floats8 weight = unpack8<BF16>(inner[i]);
#pragma unroll
    for (int j = 0; j < 8; j++) total.v[j] += value.v[j] * scale * weight.v[j];
    sum[at] = pack8<BF16>(total);
  }
  const float outer_scale = rsqrtf(sum_of_block(sum_of_squares(total), shared[1]) / width + epsilon);
  if (inside) {
    const Floats8 weight = unpack8<BF16>(outer[i]);
#pragma unroll
    for (int j = 0; j < 8; j++) total.v[j] *= outer_scale * weight.v[j];
    normalised[at] = pack8<BF16>(total);
  }
}

// Queries, keys and values as one product gives them, row by row, to what attention takes: queries
// and keys normalised head by head and rotated, keys and values repeated for all the queries of
// their group. One warp a head of a token, 4 values a lane.
template <bool BF16>
__device__ void split_heads(const uint2* qkv, const uint2* query_weight, const uint2* key_weight,
                            const float2* cosines, const float2* sines, uint2* q, uint2* k, uint2* v,
                            int tokens, int heads, int kv_heads, int head_dim, float epsilon) {
  const int lanes = head_dim / 4, lane = threadIdx.x & 31;
  const int all_heads = heads + 2 * kv_heads;
  const long long unit = ((long long)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
  const long long token = unit / all_heads;
  const int head = unit - token * all_heads;
  if (token >= tokens) return;
  const bool inside = lane < lanes;
  const bool is_query = head < heads, is_value = head >= heads + kv_heads;

  uint2 bits = inside ? qkv[(token * all_heads + head) * lanes + lane] : make_uint2(0, 0);
  if (!is_value) {
    float2 low = Half2<BF16>::unpack(bits.x), high = Half2<BF16>::unpack(bits.y);
    const float squares = low.x * low.x + low.y * low.y + high.x * high.x + high.y * high.y;
    const float scale = rsqrtf(sum_of_warp(squares) / head_dim + epsilon);
    if (inside) {
      const uint2 weight = (is_query ? query_weight : key_weight)[lane];
      const float2 first = Half2<BF16>::unpack(weight.x), second = Half2<BF16>::unpack(weight.y);
      const float2 cosine = cosines[token * lanes + lane], sine = sines[token * lanes + lane];
      low = make_float2(low.x * scale * first.x, low.y * scale * first.y);
      high = make_float2(high.x * scale * second.x, high.y * scale * second.y);
      bits = make_uint2(
          Half2<BF16>::pack(low.x * cosine.x - low.y * sine.x, low.x * sine.x + low.y * cosine.x),
          Half2<BF16>::pack(high.x * cosine.y - high.y * sine.y, high.x * sine.y + high.y * cosine.y));
    }
  }
  if (!inside) return;
  if (is_query) {
    q[(token * heads + head) * lanes + lane] = bits;
    return;
  }
  uint2* out = is_value ? v : k;
  const int group = heads / kv_heads, first = (head - heads - (is_value ? kv_heads : 0)) * group;
  for (int i = 0; i < group; i++) out[(token * heads + first + i) * lanes + lane] = bits;
}

// gate · sigmoid(gate) · x, 8 values a thread.
template <bool BF16>
__device__ void swiglu(const uint4* gate, const uint4* x, uint4* out, long long vectors) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= vectors) return;
  const Floats8 gates = unpack8<BF16>(gate[at]);
  Floats8 values = unpack8<BF16>(x[at]);
#pragma unroll
  for (int j = 0; j < 8; j++) values.v[j] *= gates.v[j] / (1.f + __expf(-gates.v[j]));
  out[at] = pack8<BF16>(values);
}

#define FOR_BOTH_TYPES(NAME, PARAMETERS, ARGUMENTS)                          \
  extern "C" __global__ void NAME##_bf16 PARAMETERS { NAME<true> ARGUMENTS; } \
  extern "C" __global__ void NAME##_f16 PARAMETERS { NAME<false> ARGUMENTS; }

FOR_BOTH_TYPES(norm_add_norm,
               (const uint4* a, const uint4* x, const uint4* inner, const uint4* outer, uint4* sum,
                uint4* normalised, int width, float epsilon),
               (a, x, inner, outer, sum, normalised, width, epsilon))
FOR_BOTH_TYPES(split_heads,
               (const uint2* qkv, const uint2* query_weight, const uint2* key_weight,
                const float2* cosines, const float2* sines, uint2* q, uint2* k, uint2* v, int tokens,
                int heads, int kv_heads, int head_dim, float epsilon),
               (qkv, query_weight, key_weight, cosines, sines, q, k, v, tokens, heads, kv_heads,
                head_dim, epsilon))
FOR_BOTH_TYPES(swiglu, (const uint4* gate, const uint4* x, uint4* out, long long vectors),
               (gate, x, out, vectors))
