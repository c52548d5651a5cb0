// Products of rows in 8 bits, and what makes such rows.
#include "shared.cuh"

// Rows in 8 bits. A row is rotated in groups of 64 values by Hadamard's matrix, which spreads what is
// far from the rest over its group, and its largest value becomes 127. The rotation cancels out in a
// product of two such rows. A matrix [rows, width] lies as [width / 128, rows, 128], rows and width
// filled up, and in each run of 128 bytes the 16-byte parts have the order of the 128-byte swizzle of
// tensor cores: part p of row r is where p ^ (r & 7) would be.

// Rotates groups of 64 values, 8 a lane: an eighth of the matrix of ones, less than its square root.
__device__ void rotate64(float v[8]) {
#pragma unroll
  for (int step = 1; step < 8; step *= 2) {
#pragma unroll
    for (int j = 0; j < 8; j++) {
      if (j & step) continue;
      const float low = v[j], high = v[j + step];
      v[j] = low + high;
      v[j + step] = low - high;
    }
  }
#pragma unroll
  for (int step = 1; step < 8; step *= 2) {
    const bool is_high = threadIdx.x & step;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const float other = __shfl_xor_sync(0xffffffffu, v[j], step);
      v[j] = is_high ? other - v[j] : v[j] + other;
    }
  }
}

// The largest value over a block of at most 32 warps, for all of its threads; no value is negative.
__device__ float largest_of_block(float x, float* shared) {
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  x = lane < warps ? shared[lane] : 0.f;
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}

__device__ float largest8(const float v[8]) {
  float most = 0.f;
#pragma unroll
  for (int j = 0; j < 8; j++) most = fmaxf(most, fabsf(v[j]));
  return most;
}

// Four values times a factor, of at most 127, as bytes. Added to 1.5 · 2^23, a number's nearest whole
// one stands in the low bits.
__device__ unsigned to_bytes(float a, float b, float c, float d, float factor) {
  const float shift = 12582912.f;
  const unsigned low = __byte_perm(__float_as_uint(__fmaf_rn(a, factor, shift)),
                                   __float_as_uint(__fmaf_rn(b, factor, shift)), 0x0040);
  const unsigned high = __byte_perm(__float_as_uint(__fmaf_rn(c, factor, shift)),
                                    __float_as_uint(__fmaf_rn(d, factor, shift)), 0x0040);
  return __byte_perm(low, high, 0x5410);
}

// Where the 16 bytes begin that are the part-th of a row.
__device__ unsigned char* part_of(unsigned char* values, int row, int padded_rows, int part) {
  const long long run = (long long)(part >> 3) * padded_rows + row;
  return values + run * 128 + ((part ^ row) & 7) * 16;
}

// Writes 8 values of a row, the vector-th of them, as 8 bits.
__device__ void write_int8(const float v[8], float factor, unsigned char* values, int row, int padded_rows,
                           int vector) {
  *(uint2*)(part_of(values, row, padded_rows, vector >> 1) + (vector & 1) * 8) =
      make_uint2(to_bytes(v[0], v[1], v[2], v[3], factor), to_bytes(v[4], v[5], v[6], v[7], factor));
}

// The same the other way: 8 values of a row, as 8 bits hold them.
__device__ Floats8 read_int8(const unsigned char* values, int row, int padded_rows, int vector) {
  const unsigned char* part = part_of((unsigned char*)values, row, padded_rows, vector >> 1);
  const uint2 pair = *(const uint2*)(part + (vector & 1) * 8);
  const unsigned words[2] = {pair.x, pair.y};
  Floats8 out;
#pragma unroll
  for (int j = 0; j < 8; j++) out.v[j] = (float)(signed char)(words[j >> 2] >> 8 * (j & 3));
  return out;
}

__device__ float scale_of(float largest) { return largest * (1.f / (127.f * 8.f)); }
__device__ float factor_of(float largest) { return largest > 0.f ? 127.f / largest : 0.f; }

// One block a row of float32, which only weights are; up to four times 8 values a thread. Row r of x
// becomes row r / run · stride + r % run + first.
constexpr int MOST_VECTORS = 4;

__device__ void quantize_float_rows(const float4* x, unsigned char* values, float* scales, int width,
                              int padded_rows, int first, int run, int stride) {
  __shared__ float shared[32];
  const int vectors = width / 8, padded = (vectors + 15) / 16 * 16;
  const int row = blockIdx.x / run * stride + blockIdx.x % run + first;
  float kept[MOST_VECTORS][8];
  float most = 0.f;
#pragma unroll
  for (int n = 0; n < MOST_VECTORS; n++) {
    const int i = threadIdx.x + n * blockDim.x;
#pragma unroll
    for (int j = 0; j < 8; j++) kept[n][j] = 0.f;
    if (n * blockDim.x >= padded) continue;
    if (i < vectors) {
      *(float4*)kept[n] = x[2 * ((long long)blockIdx.x * vectors + i)];
      *(float4*)(kept[n] + 4) = x[2 * ((long long)blockIdx.x * vectors + i) + 1];
    }
    rotate64(kept[n]);
    most = fmaxf(most, largest8(kept[n]));
  }
  most = largest_of_block(most, shared);
  const float factor = factor_of(most);
#pragma unroll
  for (int n = 0; n < MOST_VECTORS; n++) {
    const int i = threadIdx.x + n * blockDim.x;
    if (i < padded) write_int8(kept[n], factor, values, row, padded_rows, i);
  }
  if (threadIdx.x == 0) scales[row] = scale_of(most);
}

template <bool BF16>
__device__ void add_product(float sums[4], const unsigned a[4], const unsigned b[2]) {
  if (BF16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}

// The same of rows in 16 bits. A warp takes 16 groups of 64 values, a lane 16 of one and 16 of the
// group 8 further on; nothing is exchanged but the largest value. Of the six bits that number a value
// in its group, two name the lane, two the k of a product, two the product: tensor cores rotate over
// the first four, additions over the rest. What a lane gets lies where lay what it read.
template <bool BF16>
__device__ void quantize_rows(const uint4* x, unsigned char* values, float* scales, int width,
                                   int padded_rows, int first, int run, int stride) {
  __shared__ float shared[32];
  const int lane = threadIdx.x & 31, of_group = lane & 3, padded = (width + 127) / 128 * 8;
  const int row = blockIdx.x / run * stride + blockIdx.x % run + first;
  int parts[2];  // of 16 values, numbered over the row
  uint4 read[2][2] = {};
#pragma unroll
  for (int half = 0; half < 2; half++) {
    parts[half] = ((threadIdx.x >> 5) * 16 + half * 8 + (lane >> 2)) * 4 + of_group;
    const uint4* from = x + (long long)blockIdx.x * (width / 8) + 2 * parts[half];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      if (2 * parts[half] + i < width / 8) read[half][i] = from[i];
    }
  }
  // Hadamard's matrix of 16: a column is a lane's and one of its four values, a row likewise.
  const unsigned one = BF16 ? 0x3f80u : 0x3c00u;
  const bool is_odd = __popc(of_group & lane >> 3) & 1, is_second = lane >> 2 & 1;
  const unsigned pair = (one | one << 16) ^ (is_odd ? 0x80008000u : 0u) ^ (is_second ? 0x80000000u : 0u);
  const unsigned plain[2] = {pair, pair}, turned[2] = {pair, pair ^ 0x80008000u};
  float v[4][2][4];
#pragma unroll
  for (int t = 0; t < 4; t++) {
    unsigned a[4];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const uint4 from = read[half][t >> 1];
      a[half] = t & 1 ? from.z : from.x;
      a[half + 2] = t & 1 ? from.w : from.y;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) v[t][0][i] = v[t][1][i] = 0.f;
    add_product<BF16>(v[t][0], a, plain);
    add_product<BF16>(v[t][1], a, turned);
  }
  float most = 0.f;
#pragma unroll
  for (int n = 0; n < 2; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float a = v[0][n][i] + v[1][n][i], b = v[0][n][i] - v[1][n][i];
      const float c = v[2][n][i] + v[3][n][i], d = v[2][n][i] - v[3][n][i];
      v[0][n][i] = a + c;
      v[1][n][i] = b + d;
      v[2][n][i] = a - c;
      v[3][n][i] = b - d;
#pragma unroll
      for (int t = 0; t < 4; t++) most = fmaxf(most, fabsf(v[t][n][i]));
    }
  }
  most = largest_of_block(most, shared);
  const float factor = factor_of(most);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    if (parts[half] >= padded) continue;
    unsigned words[4];
#pragma unroll
    for (int t = 0; t < 4; t++) {
      words[t] = to_bytes(v[t][0][2 * half], v[t][0][2 * half + 1], v[t][1][2 * half], v[t][1][2 * half + 1],
                          factor);
    }
    *(uint4*)part_of(values, row, padded_rows, parts[half]) =
        make_uint4(words[0], words[1], words[2], words[3]);
  }
  if (threadIdx.x == 0) scales[row] = scale_of(most);
}

// Rows in 8 bits as they were, but for their rounding: one block a row.
template <bool BF16>
__device__ void restore_rows(const unsigned char* values, const float* scales, uint4* out, int width,
                             int padded_rows) {
  const int vectors = width / 8, row = blockIdx.x;
  // Rotating once more gives 8 times what was rotated.
  const float factor = scales[row] * 0.125f;
  for (int start = 0; start < vectors; start += blockDim.x) {
    const int i = start + threadIdx.x;
    Floats8 v = {};
    if (i < vectors) v = read_int8(values, row, padded_rows, i);
    rotate64(v.v);
#pragma unroll
    for (int j = 0; j < 8; j++) v.v[j] *= factor;
    if (i < vectors) out[(long long)row * vectors + i] = pack8<BF16>(v);
  }
}

// norm_add_norm whose normalised rows come in 8 bits.
template <bool BF16>
__device__ void norm_add_norm_int8(const uint4* a, const uint4* x, const uint4* inner, const uint4* outer,
                                   uint4* sum, unsigned char* values, float* scales, int width,
                                   int padded_rows, float epsilon) {
  __shared__ float shared[3][32];
  const int i = threadIdx.x, vectors = width / 8, row = blockIdx.x;
  const long long at = (long long)row * vectors + i;
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
  }
  rotate64(total.v);
  const float most = largest_of_block(largest8(total.v), shared[2]);
  if (i < (vectors + 15) / 16 * 16) write_int8(total.v, factor_of(most), values, row, padded_rows, i);
  if (i == 0) scales[row] = scale_of(most);
}

// Products of such rows: out = (a · matrixᵀ) · scales, of a row and of a column. 128 × 128 a block of 8
// warps, 64 × 32 a warp. GATED: of the matrix' rows, 8 are a gate's and the next 8 what it opens:
// out = silu(gate) · value, half as wide.
constexpr int PRODUCT_STAGES = 3, PRODUCT_TILE = 128 * 128;

__device__ void read_ahead(unsigned to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from));
}

__device__ void load_matrix(unsigned out[4], unsigned from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(from));
}

template <bool GATED>
__device__ void int8_product(const unsigned char* a, const float* row_scales, const unsigned char* matrix,
                             const float* column_scales, unsigned* out, int rows, int padded_rows,
                             int columns, int padded_columns, int k_blocks, int band) {
  extern __shared__ __align__(128) unsigned char tiles[];
  const int tiles_down = (rows + 127) / 128, tiles_across = (columns + 127) / 128;
  const int of_band = band * tiles_across, first = blockIdx.x / of_band * band;
  const int height = min(band, tiles_down - first), at = blockIdx.x % of_band;
  const int row0 = (first + at % height) * 128, column0 = at / height * 128;
  const unsigned base = (unsigned)__cvta_generic_to_shared(tiles);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int row_of_warp = (warp & 1) * 64, column_of_warp = (warp >> 1) * 32;
  auto read = [&](int k) {
    if (k < k_blocks) {
      const unsigned to = base + k % PRODUCT_STAGES * 2 * PRODUCT_TILE;
      const unsigned char* from_a = a + ((long long)k * padded_rows + row0) * 128;
      const unsigned char* from_b = matrix + ((long long)k * padded_columns + column0) * 128;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int place = (threadIdx.x + 256 * i) * 16;
        read_ahead(to + place, from_a + place);
        read_ahead(to + PRODUCT_TILE + place, from_b + place);
      }
    }
    asm volatile("cp.async.commit_group;");
  };
  int sums[4][4][4] = {};
  for (int k = 0; k < PRODUCT_STAGES - 1; k++) read(k);
  for (int k = 0; k < k_blocks; k++) {
    asm volatile("cp.async.wait_group %0;" ::"n"(PRODUCT_STAGES - 2) : "memory");
    __syncthreads();
    read(k + PRODUCT_STAGES - 1);
    const unsigned from = base + k % PRODUCT_STAGES * 2 * PRODUCT_TILE;
#pragma unroll
    for (int step = 0; step < 4; step++) {
      unsigned as[4][4], bs[2][4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int row = row_of_warp + 16 * i + (lane & 15), part = 2 * step + (lane >> 4);
        load_matrix(as[i], from + row * 128 + ((part ^ (row & 7)) << 4));
      }
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int row = column_of_warp + 16 * i + (lane & 7) + (lane >> 4) * 8;
        const int part = 2 * step + (lane >> 3 & 1);
        load_matrix(bs[i], from + PRODUCT_TILE + row * 128 + ((part ^ (row & 7)) << 4));
      }
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          int* d = sums[i][j];
          asm volatile(
              "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
              "{%0, %1, %2, %3};"
              : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
              : "r"(as[i][0]), "r"(as[i][1]), "r"(as[i][2]), "r"(as[i][3]), "r"(bs[j >> 1][2 * (j & 1)]),
                "r"(bs[j >> 1][2 * (j & 1) + 1]));
        }
      }
    }
  }
  const int width = GATED ? columns / 2 : columns;
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = row0 + row_of_warp + 16 * i + 8 * half + (lane >> 2);
      if (row >= rows) continue;
      const float row_scale = row_scales[row];
#pragma unroll
      for (int j = 0; j < 4; j += GATED ? 2 : 1) {
        const int column = column0 + column_of_warp + 8 * j + 2 * (lane & 3);
        if (column >= columns) continue;
        const float2 scale = *(const float2*)(column_scales + column);
        float low = sums[i][j][2 * half] * (row_scale * scale.x);
        float high = sums[i][j][2 * half + 1] * (row_scale * scale.y);
        if (GATED) {
          const float2 other = *(const float2*)(column_scales + column + 8);
          low *= sums[i][j + 1][2 * half] * (row_scale * other.x) / (1.f + __expf(-low));
          high *= sums[i][j + 1][2 * half + 1] * (row_scale * other.y) / (1.f + __expf(-high));
        }
        const int place = GATED ? (column0 + column_of_warp + 8 * j) / 2 + 2 * (lane & 3) : column;
        out[((long long)row * width + place) / 2] = Half2<true>::pack(low, high);
      }
    }
  }
}

FOR_BOTH_TYPES(norm_add_norm_int8,
               (const uint4* a, const uint4* x, const uint4* inner, const uint4* outer, uint4* sum,
                unsigned char* values, float* scales, int width, int padded_rows, float epsilon),
               (a, x, inner, outer, sum, values, scales, width, padded_rows, epsilon))

FOR_BOTH_TYPES(quantize_rows,
               (const uint4* x, unsigned char* values, float* scales, int width, int padded_rows, int first,
                int run, int stride),
               (x, values, scales, width, padded_rows, first, run, stride))

extern "C" __global__ __launch_bounds__(512) void quantize_rows_f32(
    const float4* x, unsigned char* values, float* scales, int width, int padded_rows, int first, int run,
    int stride) {
  quantize_float_rows(x, values, scales, width, padded_rows, first, run, stride);
}

FOR_BOTH_TYPES(restore_rows,
               (const unsigned char* values, const float* scales, uint4* out, int width, int padded_rows),
               (values, scales, out, width, padded_rows))

#define INT8_PRODUCT(NAME, GATED)                                                                           \
  extern "C" __global__ __launch_bounds__(256, 2) void NAME(                                                 \
      const unsigned char* a, const float* row_scales, const unsigned char* matrix,                         \
      const float* column_scales, unsigned* out, int rows, int padded_rows, int columns, int padded_columns, \
      int k_blocks, int band) {                                                                              \
    int8_product<GATED>(a, row_scales, matrix, column_scales, out, rows, padded_rows, columns,               \
                        padded_columns, k_blocks, band);                                                     \
  }
INT8_PRODUCT(int8_product_bf16, false)
INT8_PRODUCT(int8_gated_product_bf16, true)
