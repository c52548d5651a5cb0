// What all kernels are made of: values of 16 bits, eight at a time, and sums over a block.


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

#define FOR_BOTH_TYPES(NAME, PARAMETERS, ARGUMENTS)                          \
  extern "C" __global__ void NAME##_bf16 PARAMETERS { NAME<true> ARGUMENTS; } \
  extern "C" __global__ void NAME##_f16 PARAMETERS { NAME<false> ARGUMENTS; }
