// The kernels that ONNX Runtime has no operators for. All go over the data once, in 16-bit types,
// and compute in float32. Every kernel exists for bfloat16 (_bf16) and for float16 (_f16).
#include "shared.cuh"

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
// their group. One warp a head of a token, 4 values a lane. Without a place for values they stay where
// they are, and keys are written once.
template <bool BF16>
__device__ void split_heads(const uint2* qkv, const uint2* query_weight, const uint2* key_weight,
                            const float2* cosines, const float2* sines, uint2* q, uint2* k, uint2* v,
                            int tokens, int heads, int kv_heads, int head_dim, float epsilon) {
  const int lanes = head_dim / 4, lane = threadIdx.x & 31;
  const int all_heads = heads + 2 * kv_heads, taken = v ? all_heads : heads + kv_heads;
  const long long unit = ((long long)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
  const long long token = unit / taken;
  const int head = unit - token * taken;
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
  const int group = v ? heads / kv_heads : 1, first = (head - heads - (is_value ? kv_heads : 0)) * group;
  for (int i = 0; i < group; i++) out[(token * kv_heads * group + first + i) * lanes + lane] = bits;
}

// x · sigmoid(x), within 2 units of the last place of float32. A division that rounds as IEEE asks for
// would take more instructions than all else that the gate of SwiGLU does to a value.
__device__ float silu(float x) { return __fdividef(x, 1.f + __expf(-x)); }

// silu(gate) · x, 8 values a thread.
template <bool BF16>
__device__ void swiglu(const uint4* gate, const uint4* x, uint4* out, long long vectors) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= vectors) return;
  const Floats8 gates = unpack8<BF16>(gate[at]);
  Floats8 values = unpack8<BF16>(x[at]);
#pragma unroll
  for (int j = 0; j < 8; j++) values.v[j] *= silu(gates.v[j]);
  out[at] = pack8<BF16>(values);
}

// Products of two thin matrices, on tensor cores. A warp has 32 columns of the result and goes down its
// rows, 16 at a time, of which a lane has 8 values in a row of each of two: it reads and writes 16 bytes
// at once. To the tensor cores, columns and ranks are in another order than in memory: which lane has
// which is the same for both factors, and that is all that a sum asks for.

template <bool BF16>
__device__ void multiply_add(float sum[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3,
                             unsigned b0, unsigned b1) {
  if (BF16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
}

// A lane's share of 32 ranks of 32 columns of [columns, rank], times the strengths.
struct ThinColumns {
  uint4 tile[4];
};

template <bool BF16>
__device__ ThinColumns thin_columns(const unsigned short* matrix, const float* strength, int column,
                                    int columns, int rank, int part) {
  const int group = (threadIdx.x & 31) >> 2, k = 32 * part + 8 * (threadIdx.x & 3);
  const float4 low = *(const float4*)(strength + k), high = *(const float4*)(strength + k + 4);
  ThinColumns out;
#pragma unroll
  for (int tile = 0; tile < 4; tile++) {
    const int at = column + 8 * (group >> 1) + 2 * tile + (group & 1);
    Floats8 values = {};
    if (at < columns) values = unpack8<BF16>(*(const uint4*)(matrix + (long long)at * rank + k));
    values.v[0] *= low.x, values.v[1] *= low.y, values.v[2] *= low.z, values.v[3] *= low.w;
    values.v[4] *= high.x, values.v[5] *= high.y, values.v[6] *= high.z, values.v[7] *= high.w;
    out.tile[tile] = pack8<BF16>(values);
  }
  return out;
}

// Adds the products of 32 ranks of two rows, 8 apart, of another matrix.
template <bool BF16>
__device__ void add_products(float sums[4][4], uint4 upper, uint4 lower, const ThinColumns& columns) {
#pragma unroll
  for (int tile = 0; tile < 4; tile++) {
    const uint4 b = columns.tile[tile];
    multiply_add<BF16>(sums[tile], upper.x, lower.x, upper.y, lower.y, b.x, b.y);
    multiply_add<BF16>(sums[tile], upper.z, lower.z, upper.w, lower.w, b.z, b.w);
  }
}

// The lane's 8 values of one of two rows, plus their sums.
template <bool BF16>
__device__ Floats8 plus_sums(uint4 bits, const float sums[4][4], int half) {
  Floats8 out = unpack8<BF16>(bits);
#pragma unroll
  for (int j = 0; j < 8; j++) out.v[j] += sums[j >> 1][2 * half + (j & 1)];
  return out;
}

__device__ uint4 read_if(bool inside, const void* base, long long bytes) {
  return inside ? *(const uint4*)((const char*)base + bytes) : make_uint4(0, 0, 0, 0);
}

// Rows are copied into shared memory some steps of 16 before they are needed: so a multiprocessor has
// more of them on their way than its registers could hold.
#ifndef THIN_STAGES
#define THIN_STAGES 4
#endif
#ifndef GATE_STAGES
#define GATE_STAGES 3
#endif
constexpr int THIN_THREADS = 128;

// Copies 16 bytes, or zeros in their place, by the time of a wait_for_copies.
__device__ void copy_if(bool inside, uint4* shared, const void* base, long long bytes) {
  const unsigned place = (unsigned)__cvta_generic_to_shared(shared);
  const char* source = (const char*)base + (inside ? bytes : 0);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place), "l"(source), "r"(inside ? 16 : 0)
               : "memory");
}

// What was copied since the last time is one step.
__device__ void end_of_step() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Until no more than so many steps are on their way, for all threads of the block.
template <int STEPS>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(STEPS) : "memory");
  __syncthreads();
}

// Copies 16 rows of 32 ranks, of which each has so many values, for all warps of the block.
__device__ void copy_ranks(uint4* shared, const unsigned short* matrix, int stride, int row, int end) {
  const int thread = threadIdx.x & 63, at = row + (thread >> 2);
  copy_if(at < end, shared + thread, matrix, ((long long)at * stride + 8 * (thread & 3)) * 2);
}

// The lane's share of one of two rows of ranks that copy_ranks copied.
__device__ uint4 ranks_of(const uint4* shared, int half) { return shared[32 * half + (threadIdx.x & 31)]; }

// out = matrix + up · strength · downᵀ: a matrix with what adapters add to it. Four warps a block, one
// beside the other, go down block_rows rows, a multiple of 16. PARTS are the ranks by 32; 0 takes any
// number, and reads both factors again and again.
template <bool BF16, int PARTS>
__device__ void add_thin(const uint4* matrix, const unsigned short* up, const unsigned short* down,
                         const float* strength, uint4* out, int rows, int columns, int rank,
                         int block_rows) {
  constexpr int STAGES = THIN_STAGES, KEPT = PARTS ? PARTS : 1;
  __shared__ uint4 values[STAGES][2][THIN_THREADS], ups[STAGES][KEPT][64];
  const int lane = threadIdx.x & 31, across = (columns + 127) / 128, parts = PARTS ? PARTS : rank / 32;
  const int column = blockIdx.x % across * 128 + (threadIdx.x >> 5) * 32;
  const int own_column = column + 8 * (lane & 3);
  const int first = blockIdx.x / across * block_rows, end = min(first + block_rows, rows);
  const auto copy = [&](int step) {
    const int row = first + 16 * step, stage = step % STAGES;
    if (row < end) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int at = row + 8 * half + (lane >> 2);
        copy_if(at < end && own_column < columns, &values[stage][half][threadIdx.x], matrix,
                ((long long)at * columns + own_column) * 2);
      }
      // Two warps have one run of ranks, the others the next.
#pragma unroll
      for (int part = threadIdx.x >> 6; part < PARTS; part += 2)
        copy_ranks(ups[stage][part], up + 32 * part, rank, row, end);
    }
    end_of_step();
  };
#pragma unroll
  for (int step = 0; step < STAGES - 1; step++) copy(step);
  ThinColumns kept[KEPT];
#pragma unroll
  for (int part = 0; part < PARTS; part++)
    kept[part] = thin_columns<BF16>(down, strength, column, columns, rank, part);
  for (int step = 0, row = first; row < end; step++, row += 16) {
    const int stage = step % STAGES;
    wait_for_copies<STAGES - 2>();
    copy(step + STAGES - 1);
    float sums[4][4] = {};
    for (int part = 0; part < parts; part++) {
      if (PARTS) {
        const uint4* own = ups[stage][part];
        add_products<BF16>(sums, ranks_of(own, 0), ranks_of(own, 1), kept[part]);
      } else {
        const long long place = (long long)(row + (lane >> 2)) * rank + 32 * part + 8 * (lane & 3);
        add_products<BF16>(sums, read_if(row + (lane >> 2) < end, up, place * 2),
                           read_if(row + 8 + (lane >> 2) < end, up, (place + 8 * rank) * 2),
                           thin_columns<BF16>(down, strength, column, columns, rank, part));
      }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int at = row + 8 * half + (lane >> 2);
      if (at < end && own_column < columns)
        out[((long long)at * columns + own_column) / 8] =
            pack8<BF16>(plus_sums<BF16>(values[stage][half][threadIdx.x], sums, half));
    }
  }
}

// The gate of SwiGLU of two products one after the other, with what adapters add to both: low is
// [rows, 2 · rank], the ups are [columns, rank], strength is [2 · rank]. Blocks as those of add_thin.
template <bool BF16, int PARTS>
__device__ void adapted_swiglu(const uint4* gate, const uint4* x, const unsigned short* low,
                               const unsigned short* gate_up, const unsigned short* x_up,
                               const float* strength, uint4* out, int rows, int columns, int rank,
                               int block_rows) {
  constexpr int STAGES = GATE_STAGES, KEPT = PARTS ? PARTS : 1;
  __shared__ uint4 values[STAGES][2][2][THIN_THREADS], lows[STAGES][KEPT][2][64];
  const int lane = threadIdx.x & 31, across = (columns + 127) / 128, parts = PARTS ? PARTS : rank / 32;
  const int column = blockIdx.x % across * 128 + (threadIdx.x >> 5) * 32;
  const int own_column = column + 8 * (lane & 3);
  const int first = blockIdx.x / across * block_rows, end = min(first + block_rows, rows);
  const auto copy = [&](int step) {
    const int row = first + 16 * step, stage = step % STAGES;
    if (row < end) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int at = row + 8 * half + (lane >> 2);
        const bool inside = at < end && own_column < columns;
        const long long place = ((long long)at * columns + own_column) * 2;
        copy_if(inside, &values[stage][0][half][threadIdx.x], gate, place);
        copy_if(inside, &values[stage][1][half][threadIdx.x], x, place);
      }
      // Two warps have the gate's ranks, the others those of x.
      const int which = threadIdx.x >> 6;
#pragma unroll
      for (int part = 0; part < PARTS; part++)
        copy_ranks(lows[stage][part][which], low + which * rank + 32 * part, 2 * rank, row, end);
    }
    end_of_step();
  };
#pragma unroll
  for (int step = 0; step < STAGES - 1; step++) copy(step);
  ThinColumns kept[2][KEPT];
#pragma unroll
  for (int part = 0; part < PARTS; part++) {
    kept[0][part] = thin_columns<BF16>(gate_up, strength, column, columns, rank, part);
    kept[1][part] = thin_columns<BF16>(x_up, strength + rank, column, columns, rank, part);
  }
  for (int step = 0, row = first; row < end; step++, row += 16) {
    const int stage = step % STAGES;
    wait_for_copies<STAGES - 2>();
    copy(step + STAGES - 1);
    float sums[2][4][4] = {};
#pragma unroll
    for (int which = 0; which < 2; which++) {
      for (int part = 0; part < parts; part++) {
        if (PARTS) {
          const uint4* own = lows[stage][part][which];
          add_products<BF16>(sums[which], ranks_of(own, 0), ranks_of(own, 1), kept[which][part]);
        } else {
          const int at = row + (lane >> 2);
          const long long place = (long long)at * 2 * rank + which * rank + 32 * part + 8 * (lane & 3);
          add_products<BF16>(sums[which], read_if(at < end, low, place * 2),
                             read_if(at + 8 < end, low, (place + 16 * rank) * 2),
                             thin_columns<BF16>(which ? x_up : gate_up, strength + which * rank, column,
                                                columns, rank, part));
        }
      }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int at = row + 8 * half + (lane >> 2);
      if (at >= end || own_column >= columns) continue;
      const Floats8 gates = plus_sums<BF16>(values[stage][0][half][threadIdx.x], sums[0], half);
      Floats8 result = plus_sums<BF16>(values[stage][1][half][threadIdx.x], sums[1], half);
#pragma unroll
      for (int j = 0; j < 8; j++) result.v[j] *= silu(gates.v[j]);
      out[((long long)at * columns + own_column) / 8] = pack8<BF16>(result);
    }
  }
}

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

#define FOR_RANKS(NAME, PARAMETERS, ARGUMENTS)                                                            \
  extern "C" __global__ __launch_bounds__(128) void NAME##_32_bf16 PARAMETERS { NAME<true, 1> ARGUMENTS; }  \
  extern "C" __global__ __launch_bounds__(128) void NAME##_32_f16 PARAMETERS { NAME<false, 1> ARGUMENTS; }  \
  extern "C" __global__ __launch_bounds__(128) void NAME##_64_bf16 PARAMETERS { NAME<true, 2> ARGUMENTS; }  \
  extern "C" __global__ __launch_bounds__(128) void NAME##_64_f16 PARAMETERS { NAME<false, 2> ARGUMENTS; }  \
  extern "C" __global__ __launch_bounds__(128) void NAME##_any_bf16 PARAMETERS { NAME<true, 0> ARGUMENTS; } \
  extern "C" __global__ __launch_bounds__(128) void NAME##_any_f16 PARAMETERS { NAME<false, 0> ARGUMENTS; }

FOR_RANKS(add_thin,
          (const uint4* matrix, const unsigned short* up, const unsigned short* down,
           const float* strength, uint4* out, int rows, int columns, int rank, int block_rows),
          (matrix, up, down, strength, out, rows, columns, rank, block_rows))
FOR_RANKS(adapted_swiglu,
          (const uint4* gate, const uint4* x, const unsigned short* low, const unsigned short* gate_up,
           const unsigned short* x_up, const float* strength, uint4* out, int rows, int columns,
           int rank, int block_rows),
          (gate, x, low, gate_up, x_up, strength, out, rows, columns, rank, block_rows))
