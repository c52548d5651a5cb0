// Attention over heads that share keys and values, on Hopper's own tensor-core instructions.
#include "hopper.cuh"

// Queries of a warpgroup and warpgroups of a block that attend; keys of a step, and for how many steps
// there is room. Rows lie in shared memory 32 values at a time, 64 bytes, in the 64-byte swizzle.
constexpr int QUERIES = 64, GROUPS = 2, KEYS = 128, STAGES = 3, PART_BYTES = 64;

// So many tokens of a head, as a tensor map describes them.
__device__ __forceinline__ void copy_heads(u32 to, const TensorMap* map, int token, int part, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], "
      "[%5];" ::"r"(to),
      "l"(map), "r"(0), "r"(token), "r"(part), "r"(barrier)
      : "memory");
}

// A matrix of such rows; `part`: bytes from 32 columns to the next, where columns are what is summed over.
__device__ __forceinline__ u64 heads_descriptor(u32 address, u32 part) {
  return (u64)((address & 0x3ffff) >> 4) | (u64)(part >> 4) << 16 | (u64)(8 * PART_BYTES >> 4) << 32 | (u64)2 << 62;
}

#define SCORES(TYPE)                                                                                       \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"                                                \
               "wgmma.mma_async.sync.aligned.m64n128k16.f32." TYPE "." TYPE " {" S64                       \
               "}, %64, %65, p, 1, 1, 0, 0;\n}\n"                                                          \
               : F64(s, 0)                                                                                 \
               : "l"(queries), "l"(keys), "r"(keep))

// More products of 16 values each of 64 queries and 128 keys.
template <bool BF16>
__device__ __forceinline__ void add_scores(float (&s)[64], u64 queries, u64 keys, int keep) {
  if (BF16) {
    SCORES("bf16");
  } else {
    SCORES("f16");
  }
}

#define VALUES(N, TYPE, REGISTERS, A, B, P, ...)                                                           \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" P ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" REGISTERS "}, {" A "}, %" B \
               ", p, 1, 1, 1;\n}\n"                                                                        \
               : __VA_ARGS__                                                                               \
               : "r"(weights[0]), "r"(weights[1]), "r"(weights[2]), "r"(weights[3]), "l"(values), "r"(keep))

// More of 16 values, by the weights of 64 queries.
template <bool BF16>
__device__ __forceinline__ void add_values(float (&o)[16], const u32* weights, u64 values, int keep) {
  if (BF16) {
    VALUES(32, "bf16", S16, "%16, %17, %18, %19", "20", "21", F16(o, 0));
  } else {
    VALUES(32, "f16", S16, "%16, %17, %18, %19", "20", "21", F16(o, 0));
  }
}
template <bool BF16>
__device__ __forceinline__ void add_values(float (&o)[48], const u32* weights, u64 values, int keep) {
  if (BF16) {
    VALUES(96, "bf16", S48, "%48, %49, %50, %51", "52", "53", F48(o, 0));
  } else {
    VALUES(96, "f16", S48, "%48, %49, %50, %51", "52", "53", F48(o, 0));
  }
}

template <bool BF16>
__device__ __forceinline__ u32 pack_as(float low, float high) {
  u32 bits;
  if (BF16) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  }
  return bits;
}

__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Until no more than so many groups of products are on their way.
template <int LEFT>
__device__ __forceinline__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

template <int N>
__device__ __forceinline__ void are_there(float (&sums)[N]) {
#pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

// Tiles of 128 queries. Of all queries that share keys, head after head, each warpgroup takes 64 of one head.
struct Tiles {
  int tokens, kv_heads, group, units, each, steps;
  __device__ __forceinline__ Tiles(int tokens, int heads, int kv_heads)
      : tokens(tokens), kv_heads(kv_heads), group(heads / kv_heads), units((tokens + QUERIES - 1) / QUERIES) {
    each = (group * units + GROUPS - 1) / GROUPS;
    steps = (tokens + KEYS - 1) / KEYS;
  }
  __device__ __forceinline__ int count() const { return each * kv_heads; }
};

// What one warpgroup has of a tile.
struct Part {
  int kv_head, head, token;
  bool is_there;
  __device__ __forceinline__ Part(const Tiles& tiles, int tile, int own) {
    kv_head = tile / tiles.each;
    const int unit = (tile - kv_head * tiles.each) * GROUPS + own, of_group = unit / tiles.units;
    head = kv_head * tiles.group + of_group;
    token = (unit - of_group * tiles.units) * QUERIES;
    is_there = of_group < tiles.group;
  }
};

// The steps of a block: of each whole tile all, of those that are shared, one after the other, a share.
struct Work {
  int whole, steps, next_tile, at, end, first_shared;
  int tile, first, last, place;
  __device__ __forceinline__ Work(const Tiles& tiles, int whole, int share) : whole(whole), steps(tiles.steps) {
    next_tile = blockIdx.x;
    at = blockIdx.x * share;
    end = min(at + share, (tiles.count() - whole) * steps);
    first_shared = at / steps;
  }
  // place: where what is found of a shared tile goes.
  __device__ __forceinline__ bool next() {
    if (next_tile < whole) {
      tile = next_tile, first = 0, last = steps, place = -1;
      next_tile += gridDim.x;
      return true;
    }
    if (at >= end) return false;
    const int shared = at / steps;
    tile = whole + shared;
    first = at - shared * steps;
    last = min(steps, first + end - at);
    place = 2 * blockIdx.x + shared - first_shared;
    at += last - first;
    return true;
  }
};

// Of what is found: sums of values, then each row's largest score and its sum of powers.
template <int HEAD>
constexpr int FOUND = QUERIES * (HEAD + 2);

constexpr float FAR_BELOW = -3.0e38f;
// The largest score that powers are relative to may be exceeded by so much before they are made smaller:
// sums in float32 lose nothing, and float16 holds such weights.
constexpr float LATITUDE = 8.f;

// out = softmax(q · kᵀ · factor) · v by powers of two. One warpgroup reads ahead, the others attend. While
// one's scores become weights, its last weights multiply values, and the other's products go on.
template <int HEAD, bool BF16>
__device__ __forceinline__ void attend(const TensorMap* q, const TensorMap* k, const TensorMap* v,
                                       unsigned short* out, float* found, int tokens, int heads, int kv_heads,
                                       float factor, int whole, int share) {
  constexpr int PARTS = HEAD / 32, PITCH = 2 * HEAD + 16;
  constexpr u32 Q_BYTES = QUERIES * HEAD * 2, KV_BYTES = KEYS * HEAD * 2;
  extern __shared__ char raw[];
  __shared__ __align__(8) u64 barriers[4 * STAGES + 2 * GROUPS];
  __shared__ float ordered[4 * (GROUPS + 1)];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 keys_at = base + GROUPS * Q_BYTES, values_at = keys_at + STAGES * KV_BYTES;
  const u32 k_full = shared_address(barriers), k_empty = k_full + 8 * STAGES;
  const u32 v_full = k_empty + 8 * STAGES, v_empty = v_full + 8 * STAGES;
  const u32 q_full = v_empty + 8 * STAGES, q_empty = q_full + 8 * GROUPS;
  const int lane = threadIdx.x & 31, own = (threadIdx.x >> 7) - 1;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; i++) {
      barrier_init(k_full + 8 * i, 1), barrier_init(k_empty + 8 * i, 4 * GROUPS);
      barrier_init(v_full + 8 * i, 1), barrier_init(v_empty + 8 * i, 4 * GROUPS);
    }
    for (int i = 0; i < GROUPS; i++) barrier_init(q_full + 8 * i, 1), barrier_init(q_empty + 8 * i, 4);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  }
  __syncthreads();
  const Tiles tiles(tokens, heads, kv_heads);
  Work work(tiles, whole, share);
  int stage = 0;
  u32 phase = 0, q_phase = 0;
  if (own < 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x != 0) return;
    while (work.next()) {
#pragma unroll
      for (int i = 0; i < GROUPS; i++) {
        const Part part(tiles, work.tile, i);
        barrier_wait(q_empty + 8 * i, q_phase ^ 1);
        barrier_expect(q_full + 8 * i, Q_BYTES);
        copy_heads(base + i * Q_BYTES, q, part.token, PARTS * part.head, q_full + 8 * i);
      }
      q_phase ^= 1;
      const int part = PARTS * (work.tile / tiles.each);
      for (int step = work.first; step < work.last; step++) {
        barrier_wait(k_empty + 8 * stage, phase ^ 1);
        barrier_expect(k_full + 8 * stage, KV_BYTES);
        copy_heads(keys_at + stage * KV_BYTES, k, step * KEYS, part, k_full + 8 * stage);
        barrier_wait(v_empty + 8 * stage, phase ^ 1);
        barrier_expect(v_full + 8 * stage, KV_BYTES);
        copy_heads(values_at + stage * KV_BYTES, v, step * KEYS, part, v_full + 8 * stage);
        if (++stage == STAGES) stage = 0, phase ^= 1;
      }
    }
    return;
  }
  asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
  const int last_keys = tokens - (tiles.steps - 1) * KEYS, warp = (threadIdx.x >> 5) & 3;
  const u64 queries = heads_descriptor(base + own * Q_BYTES, 0);
  // A lane has the scores of two rows, 8 apart: of eight columns two in each, of the next eight two…
  float s[KEYS / 2], o[HEAD / 2], top[2], sum[2], smaller[2];
  u32 weights[KEYS / 4];

  const auto score = [&](int at) {
    const u64 keys = heads_descriptor(keys_at + at * KV_BYTES, 0);
#pragma unroll
    for (int i = 0; i < HEAD / 16; i++) {
      add_scores<BF16>(s, queries + (i >> 1) * (QUERIES * PART_BYTES >> 4) + 2 * (i & 1),
                       keys + (i >> 1) * (KEYS * PART_BYTES >> 4) + 2 * (i & 1), i);
    }
    commit();
  };
  const auto weigh = [&](int at, int keep) {
    const u64 values = heads_descriptor(values_at + at * KV_BYTES, KEYS * PART_BYTES);
#pragma unroll
    for (int i = 0; i < KEYS / 16; i++) {
      add_values<BF16>(o, weights + 4 * i, values + i * (16 * PART_BYTES >> 4), keep | i);
    }
    commit();
  };
  const auto release = [&](u32 barrier) {
    if (lane == 0) barrier_arrive(barrier);
  };
  // When scores are there: what they were made of may be overwritten, and keys beyond the last count nothing.
  const auto scored = [&](int at, int step) {
    are_there(s);
    release(k_empty + 8 * at);
    if (step == work.last - 1) release(q_empty + 8 * own);
    if (step == tiles.steps - 1 && last_keys < KEYS) {
#pragma unroll
      for (int i = 0; i < KEYS / 2; i++) {
        if (8 * (i >> 2) + 2 * (lane & 3) + (i & 1) >= last_keys) s[i] = FAR_BELOW;
      }
    }
  };
  // Scores to powers of two. Returns whether what was summed before is to be made smaller.
  const auto raise = [&](bool is_first) {
    float largest[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float a = s[2 * half], b = s[2 * half + 1];
#pragma unroll
      for (int i = 4 + 2 * half; i < KEYS / 2; i += 4) a = fmaxf(a, s[i]), b = fmaxf(b, s[i + 1]);
      a = fmaxf(a, b);
      a = fmaxf(a, __shfl_xor_sync(0xffffffffu, a, 1));
      largest[half] = fmaxf(a, __shfl_xor_sync(0xffffffffu, a, 2)) * factor;
    }
    bool is_exceeded = false;
    if (is_first) {
      top[0] = largest[0], top[1] = largest[1];
      sum[0] = sum[1] = 0.f;
    } else {
      is_exceeded =
          __any_sync(0xffffffffu, largest[0] > top[0] + LATITUDE || largest[1] > top[1] + LATITUDE);
      if (is_exceeded) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const float larger = fmaxf(top[half], largest[half]);
          smaller[half] = power_of_two(top[half] - larger);
          top[half] = larger;
          sum[half] *= smaller[half];
        }
      }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float a = 0.f, b = 0.f;
#pragma unroll
      for (int i = 2 * half; i < KEYS / 2; i += 4) {
        a += s[i] = power_of_two(fmaf(s[i], factor, -top[half]));
        b += s[i + 1] = power_of_two(fmaf(s[i + 1], factor, -top[half]));
      }
      sum[half] += a + b;
    }
    return is_exceeded;
  };
  const auto pack_weights = [&] {
#pragma unroll
    for (int i = 0; i < KEYS / 4; i++) weights[i] = pack_as<BF16>(s[2 * i], s[2 * i + 1]);
  };

  while (work.next()) {
    barrier_wait(q_full + 8 * own, q_phase);
    q_phase ^= 1;
    barrier_wait(k_full + 8 * stage, phase);
    fence();
    score(stage);
    wait_for_products<0>();
    scored(stage, work.first);
    raise(true);
    pack_weights();
    int before = stage, keep = 0;
    u32 phase_before = phase;
    if (++stage == STAGES) stage = 0, phase ^= 1;
    for (int step = work.first + 1; step < work.last; step++) {
      barrier_wait(k_full + 8 * stage, phase);
      fence();
      score(stage);
      barrier_wait(v_full + 8 * before, phase_before);
      weigh(before, keep);
      keep = 1;
      wait_for_products<1>();
      scored(stage, step);
      const bool is_exceeded = raise(false);
      // Read by nobody: without it the compiler waits for the products first, and raises then.
      asm volatile("st.volatile.shared.f32 [%0], %1;" ::"r"(shared_address(ordered + (threadIdx.x >> 5))),
                   "f"(sum[0] + sum[1])
                   : "memory");
      wait_for_products<0>();
      are_there(o);
      release(v_empty + 8 * before);
      pack_weights();
      if (is_exceeded) {
#pragma unroll
        for (int i = 0; i < HEAD / 2; i++) o[i] *= smaller[(i >> 1) & 1];
      }
      before = stage;
      phase_before = phase;
      if (++stage == STAGES) stage = 0, phase ^= 1;
    }
    barrier_wait(v_full + 8 * before, phase_before);
    fence();
    weigh(before, keep);
    wait_for_products<0>();
    are_there(o);
    release(v_empty + 8 * before);

#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
      sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
    }
    if (work.place >= 0) {
      float* const to = found + (long long)(work.place * GROUPS + own) * FOUND<HEAD>;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int row = warp * 16 + (lane >> 2) + 8 * half;
#pragma unroll
        for (int j = 0; j < HEAD / 8; j++) {
          *(float2*)(to + row * HEAD + 8 * j + 2 * (lane & 3)) =
              make_float2(o[4 * j + 2 * half], o[4 * j + 2 * half + 1]);
        }
        if ((lane & 3) == 0) *(float2*)(to + QUERIES * HEAD + 2 * row) = make_float2(top[half], sum[half]);
      }
      continue;
    }
    char* const rows = raw + (values_at + STAGES * KV_BYTES - shared_address(raw)) + (own * 64 + warp * 16) * PITCH;
    __syncwarp();
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const float inverse = __fdividef(1.f, sum[half]);
#pragma unroll
      for (int j = 0; j < HEAD / 8; j++) {
        *(u32*)(rows + ((lane >> 2) + 8 * half) * PITCH + 16 * j + 4 * (lane & 3)) =
            pack_as<BF16>(o[4 * j + 2 * half] * inverse, o[4 * j + 2 * half + 1] * inverse);
      }
    }
    __syncwarp();
    const Part part(tiles, work.tile, own);
#pragma unroll
    for (int i = 0; i < HEAD / 16; i++) {
      constexpr int VECTORS = HEAD / 8;
      const int at = lane + 32 * i, row = at / VECTORS, vector = at % VECTORS, token = part.token + warp * 16 + row;
      if (part.is_there && token < tokens) {
        *(uint4*)(out + ((long long)token * heads + part.head) * HEAD + 8 * vector) =
            *(const uint4*)(rows + row * PITCH + 16 * vector);
      }
    }
  }
}

// What blocks found of the tiles that they shared becomes one. A thread has 4 values of a row.
template <int HEAD, bool BF16>
__device__ __forceinline__ void join_attended(const float* found, unsigned short* out, int tokens, int heads,
                                              int kv_heads, int whole, int share) {
  const Tiles tiles(tokens, heads, kv_heads);
  const int at = blockIdx.x * blockDim.x + threadIdx.x, all_rows = at / (HEAD / 4), vector = at % (HEAD / 4);
  const int shared = all_rows / (GROUPS * QUERIES), own = all_rows / QUERIES % GROUPS, row = all_rows % QUERIES;
  if (shared >= tiles.count() - whole) return;
  const Part part(tiles, whole + shared, own);
  const int token = part.token + row;
  if (!part.is_there || token >= tokens) return;
  const int first = shared * tiles.steps / share, last = ((shared + 1) * tiles.steps - 1) / share;
  const auto found_by = [&](int block) {
    const int place = 2 * block + shared - block * share / tiles.steps;
    return found + (long long)(place * GROUPS + own) * FOUND<HEAD>;
  };
  float top = FAR_BELOW, sum = 0.f;
  for (int block = first; block <= last; block++) top = fmaxf(top, found_by(block)[QUERIES * HEAD + 2 * row]);
  float4 values = make_float4(0.f, 0.f, 0.f, 0.f);
  for (int block = first; block <= last; block++) {
    const float* const from = found_by(block);
    const float weight = power_of_two(from[QUERIES * HEAD + 2 * row] - top);
    const float4 more = *(const float4*)(from + row * HEAD + 4 * vector);
    sum += weight * from[QUERIES * HEAD + 2 * row + 1];
    values.x += weight * more.x, values.y += weight * more.y;
    values.z += weight * more.z, values.w += weight * more.w;
  }
  const float inverse = __fdividef(1.f, sum);
  *(uint2*)(out + ((long long)token * heads + part.head) * HEAD + 4 * vector) =
      make_uint2(pack_as<BF16>(values.x * inverse, values.y * inverse),
                 pack_as<BF16>(values.z * inverse, values.w * inverse));
}

#define ATTENTION(HEAD, TYPE, BF16)                                                                          \
  extern "C" __global__ __launch_bounds__(128 * (GROUPS + 1), 1) void attend_##HEAD##_##TYPE(                \
      const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k,                              \
      const __grid_constant__ TensorMap v, unsigned short* out, float* found, int tokens, int heads,         \
      int kv_heads, float factor, int whole, int share) {                                                    \
    attend<HEAD, BF16>(&q, &k, &v, out, found, tokens, heads, kv_heads, factor, whole, share);               \
  }                                                                                                          \
  extern "C" __global__ void join_attended_##HEAD##_##TYPE(const float* found, unsigned short* out,          \
                                                           int tokens, int heads, int kv_heads, int whole,   \
                                                           int share) {                                      \
    join_attended<HEAD, BF16>(found, out, tokens, heads, kv_heads, whole, share);                            \
  }
ATTENTION(32, bf16, true)
ATTENTION(32, f16, false)
ATTENTION(96, bf16, true)
ATTENTION(96, f16, false)
