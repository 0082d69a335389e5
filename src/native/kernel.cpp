// Pixels to the planes of a 4:2:0 frame, and back, exactly rounded: the loops.
//
// A frame goes through in pairs of rows and in tiles that stay in the first-level cache, so every pixel is read from
// memory once. A tile is loaded as float rows R, G, B, whatever it was stored as; planar float32 is read in place.
// Float32 carries 24 bits: the error of the few operations below is under 1e-4 of a code value.
//
// The loops are written for the compiler's vectoriser: no branches, no calls, one job each. Contraction to fused
// multiply-add is off (see CMakeLists.txt), so every instruction set gives the same bytes.

#include "kernel.h"

#include <initializer_list>

#ifndef TELECINE_ISA
#define TELECINE_ISA baseline
#endif

namespace telecine {
namespace TELECINE_ISA {
namespace {

constexpr int tile_width = 512;   // 6 rows of float32 in 12 KiB; even, so that no chroma sample spans a third tile
constexpr int block_width = 128;  // columns between two rounds of prefetching

template <class To, class From>
inline To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

// ---- one stored sample to float ------------------------------------------------------------------------------------

struct Uint8 {
    using Stored = std::uint8_t;
    static constexpr bool integer = true;
    static float value(Stored v) { return static_cast<float>(v); }
};

struct Uint16 {
    using Stored = std::uint16_t;
    static constexpr bool integer = true;
    static float value(Stored v) { return static_cast<float>(v); }
};

struct Float16 {
    using Stored = std::uint16_t;
    static constexpr bool integer = false;
    // IEEE 754 binary16 by integer operations: it vectorises everywhere, and holds when subnormals are flushed to zero.
    static float value(Stored v) {
        const std::uint32_t shifted = (v & 0x7fffu) << 13;
        const std::uint32_t exponent = shifted & (0x7c00u << 13);
        const std::uint32_t special = exponent == (0x7c00u << 13) ? (128u - 16u) << 23 : 0u;
        const float normal = bit_cast<float>(shifted + ((127u - 15u) << 23) + special);
        const float subnormal = bit_cast<float>(shifted + (113u << 23)) - bit_cast<float>(113u << 23);
        const float magnitude = exponent == 0 ? subnormal : normal;
        return bit_cast<float>(bit_cast<std::uint32_t>(magnitude) | (v & 0x8000u) << 16);
    }
};

struct Bfloat16 {
    using Stored = std::uint16_t;
    static constexpr bool integer = false;
    static float value(Stored v) { return bit_cast<float>(static_cast<std::uint32_t>(v) << 16); }
};

struct Float32 {
    using Stored = float;
    static constexpr bool integer = false;
    static float value(Stored v) { return v; }
};

struct Float64 {
    using Stored = double;
    static constexpr bool integer = false;
    static float value(Stored v) { return static_cast<float>(v); }
};

template <class Stored>
inline Stored stored_at(const char *at) {
    Stored v;
    __builtin_memcpy(&v, at, sizeof v);
    return v;
}

// ---- a row of a tile to float --------------------------------------------------------------------------------------

template <class Type>
void load_planar(const char *from, int n, float *__restrict to) {
    for (int x = 0; x < n; ++x)
        to[x] = Type::value(stored_at<typename Type::Stored>(from + x * sizeof(typename Type::Stored)));
}

template <class Type>
void load_strided(const char *from, std::ptrdiff_t stride, int n, float *__restrict to) {
    for (int x = 0; x < n; ++x) to[x] = Type::value(stored_at<typename Type::Stored>(from + x * stride));
}

// Three channels out of pixels of `width` samples: grouped loads that the vectoriser turns into shuffles.
template <class Type, int width>
void load_packed(const char *from, int n, float *__restrict a, float *__restrict b, float *__restrict c) {
    using Stored = typename Type::Stored;
    for (int x = 0; x < n; ++x) {
        const char *at = from + x * (width * static_cast<std::ptrdiff_t>(sizeof(Stored)));
        a[x] = Type::value(stored_at<Stored>(at));
        b[x] = Type::value(stored_at<Stored>(at + sizeof(Stored)));
        c[x] = Type::value(stored_at<Stored>(at + 2 * sizeof(Stored)));
    }
}

struct Tile {
    alignas(64) float channel[4][tile_width];
};

// Where the float32 samples of a row of a tile are: in a Tile, or in the caller's frame, which need not be aligned.
struct Row {
    const char *r, *g, *b;
};

template <class Type>
void load_channels(const Pixels &pixels, const char *from, int n, Tile &tile) {
    constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(typename Type::Stored));
    const std::ptrdiff_t channel = pixels.channel_stride, column = pixels.column_stride;
    auto *to = tile.channel;
    int c = 0;
    if (pixels.channels >= 3 && channel == size && column == 3 * size) {
        load_packed<Type, 3>(from, n, to[0], to[1], to[2]);
        c = 3;
    } else if (pixels.channels >= 3 && channel == size && column == 4 * size) {
        load_packed<Type, 4>(from, n, to[0], to[1], to[2]);
        c = 3;
    } else if (pixels.channels == 3 && channel == -size && column == 3 * size) {  // OpenCV's BGR viewed as RGB
        load_packed<Type, 3>(from - 2 * size, n, to[2], to[1], to[0]);
        c = 3;
    }
    for (; c < pixels.channels; ++c) {
        if (column == size)
            load_planar<Type>(from + c * channel, n, to[c]);
        else
            load_strided<Type>(from + c * channel, column, n, to[c]);
    }
}

// Straight alpha over the background. Gives the smallest alpha met, or `smallest`.
float composite(const Matrix &matrix, int n, Tile &tile, float smallest) {
    const float low = matrix.low, high = matrix.high, scale = 1.0f / (high - low);
    float *__restrict alpha = tile.channel[3];
    for (int x = 0; x < n; ++x) {
        float a = (alpha[x] - low) * scale;
        a = a > 0.0f ? a : 0.0f;
        alpha[x] = a < 1.0f ? a : 1.0f;
    }
    auto bits = bit_cast<std::int32_t>(smallest);  // ordered as the floats are, for none is negative
    for (int x = 0; x < n; ++x) {
        const auto b = bit_cast<std::int32_t>(alpha[x]);
        bits = bits < b ? bits : b;
    }
    smallest = bit_cast<float>(bits);
    for (int c = 0; c < 3; ++c) {
        float *__restrict v = tile.channel[c];
        const float ground = matrix.background[c];
        for (int x = 0; x < n; ++x) {
            float value = v[x] > low ? v[x] : low;
            value = value < high ? value : high;
            v[x] = ground + alpha[x] * (value - ground);
        }
    }
    return smallest;
}

// The largest |value - middle|, as the bits of a float: an integer maximum keeps NaN and infinity, and vectorises.
std::int32_t largest_deviation(const char *samples, int n, const Matrix &matrix, std::int32_t largest) {
    const float middle = 0.5f * (matrix.low + matrix.high);
    for (int x = 0; x < n; ++x) {
        const float value = stored_at<float>(samples + x * static_cast<std::ptrdiff_t>(sizeof(float)));
        const std::int32_t bits = bit_cast<std::int32_t>(value - middle) & 0x7fffffff;
        largest = largest > bits ? largest : bits;
    }
    return largest;
}

// The value above `low`, unclamped: what the loop below works on. It also keeps the largest of the bits, unsigned: they
// exceed the bits of `high - low` if and only if a value was below `low`, above `high`, infinite or not a number.
struct Unchecked {
    float low;
    std::uint32_t largest;
    float above_low(float value) {
        value -= low;
        const std::uint32_t bits = bit_cast<std::uint32_t>(value);
        largest = largest > bits ? largest : bits;
        return value;
    }
};

// The same within 0 and `span`; a NaN becomes 0: the order of the comparisons keeps the conversion to integer defined.
struct Clamped {
    float low, span;
    float above_low(float value) {
        value -= low;
        value = value > 0.0f ? value : 0.0f;
        return value < span ? value : span;
    }
};

struct Integer {
    float above_low(float value) { return value; }
};

// The 0.5 that makes truncation round is in the matrix's offsets. Of unchecked values the code may be out of an int's
// range: C++ then leaves the result undefined, which every processor gives as some number, and it is written over.
__attribute__((no_sanitize("float-cast-overflow"))) inline std::uint8_t truncated(float code) {
    return static_cast<std::uint8_t>(static_cast<int>(code));
}

// Two rows of a tile: their luma, and the sums of their Cb and Cr, which the horizontal filter then takes.
template <class Limit>
__attribute__((noinline))  // inlined, the pointers lose their __restrict and the loop its vectors
Limit luma_and_chroma_sums(const Row &top, const Row &bottom, const Matrix &m, int n, Limit limit,
                           std::uint8_t *__restrict y_top, std::uint8_t *__restrict y_bottom, float *__restrict cb,
                           float *__restrict cr) {
    const float yr = m.y[0], yg = m.y[1], yb = m.y[2], y0 = m.y[3];
    const float br = m.cb[0], bg = m.cb[1], bb = m.cb[2];
    const float rr = m.cr[0], rg = m.cr[1], rb = m.cr[2];
    for (int x = 0; x < n; ++x) {
        const std::ptrdiff_t at = x * static_cast<std::ptrdiff_t>(sizeof(float));
        const float r0 = limit.above_low(stored_at<float>(top.r + at));
        const float g0 = limit.above_low(stored_at<float>(top.g + at));
        const float b0 = limit.above_low(stored_at<float>(top.b + at));
        const float r1 = limit.above_low(stored_at<float>(bottom.r + at));
        const float g1 = limit.above_low(stored_at<float>(bottom.g + at));
        const float b1 = limit.above_low(stored_at<float>(bottom.b + at));
        y_top[x] = truncated(yr * r0 + yg * g0 + yb * b0 + y0);
        y_bottom[x] = truncated(yr * r1 + yg * g1 + yb * b1 + y0);
        const float r = r0 + r1, g = g0 + g1, b = b0 + b1;
        cb[x] = br * r + bg * g + bb * b;
        cr[x] = rr * r + rg * g + rb * b;
    }
    return limit;
}

// 1-2-1 about every even column, chroma sited left (ITU-T H.264 E.2.1, chroma_sample_loc_type 0). sums[-1] is the
// column before the tile. The sums are of two rows, so an eighth of the filter's is the mean.
void chroma_row(const float *__restrict sums, int n, float offset, std::uint8_t *__restrict out) {
    for (int i = 0; i < n; ++i)
        out[i] = truncated((sums[2 * i - 1] + 2.0f * sums[2 * i] + sums[2 * i + 1]) * 0.125f + offset);
}

// What a frame's loops carry from tile to tile.
struct State {
    Tile tiles[2];
    struct {
        alignas(64) float before[16];  // the last one is the column before the tile
        float row[tile_width + 16];
    } sums[2];
    std::int32_t deviation;
    float alpha;
};

template <class Type>
bool in_place(const Pixels &pixels) {
    constexpr bool is_float = sizeof(typename Type::Stored) == sizeof(float);
    return is_float && pixels.channels != 4 && pixels.column_stride == static_cast<std::ptrdiff_t>(sizeof(float));
}

template <class Type>
Row load_row(const Pixels &pixels, const Matrix &matrix, int x, int y, int n, Tile &tile, State &state) {
    const char *from = pixels.data + y * pixels.row_stride + x * pixels.column_stride;
    if (in_place<Type>(pixels)) {
        const std::ptrdiff_t next = pixels.channels == 1 ? 0 : pixels.channel_stride;
        return {from, from + next, from + 2 * next};
    }
    load_channels<Type>(pixels, from, n, tile);
    const auto at = [&](int c) { return reinterpret_cast<const char *>(tile.channel[c]); };
    if (pixels.channels == 4) {
        // Looked at before compositing, which would hide what is out of range or not a number.
        if (!Type::integer)
            for (int c = 0; c < 4; ++c) state.deviation = largest_deviation(at(c), n, matrix, state.deviation);
        state.alpha = composite(matrix, n, tile, state.alpha);
    }
    return pixels.channels == 1 ? Row{at(0), at(0), at(0)} : Row{at(0), at(1), at(2)};
}

Row from_column(const Row &row, int x) {
    const std::ptrdiff_t at = x * static_cast<std::ptrdiff_t>(sizeof(float));
    return {row.r + at, row.g + at, row.b + at};
}

// `ahead` is the way from these rows to those of the next pair, in bytes, where they are read in place; else 0.
template <class Type>
void tile_to_planes(const Row &top, const Row &bottom, const Matrix &matrix, int n, std::ptrdiff_t ahead,
                    std::uint8_t *y_top, std::uint8_t *y_bottom, State &state) {
    float *const cb = state.sums[0].row, *const cr = state.sums[1].row;
    if (Type::integer) {
        luma_and_chroma_sums(top, bottom, matrix, n, Integer{}, y_top, y_bottom, cb, cr);
        return;
    }
    const float span = matrix.high - matrix.low;
    const int block = ahead != 0 ? block_width : n;
    Unchecked seen{matrix.low, 0};
    for (int x = 0; x < n; x += block) {
        const int count = n - x < block ? n - x : block;
        const Row t = from_column(top, x), b = from_column(bottom, x);
        // Six streams are more than processors prefetch by themselves: a frame that is not in the cache takes half the
        // time when these columns of the next pair are asked for now, a few lines at a time.
        if (ahead != 0)
            for (const char *samples : {t.r, t.g, t.b, b.r, b.g, b.b})
                for (int i = 0; i < count; i += 16) __builtin_prefetch(samples + ahead + i * sizeof(float));
        seen = luma_and_chroma_sums(t, b, matrix, count, seen, y_top + x, y_bottom + x, cb + x, cr + x);
    }
    if (seen.largest <= bit_cast<std::uint32_t>(span)) return;
    // Something is out of range: this tile again, clamped, while it is in the cache.
    luma_and_chroma_sums(top, bottom, matrix, n, Clamped{matrix.low, span}, y_top, y_bottom, cb, cr);
    for (const char *samples : {top.r, top.g, top.b, bottom.r, bottom.g, bottom.b})
        state.deviation = largest_deviation(samples, n, matrix, state.deviation);
}

// The tiles of one pair of rows. Below an odd height the bottom row is the top row again.
template <class Type>
void row_pair(const Pixels &pixels, const Matrix &matrix, int y, const Planes &out, State &state) {
    const int width = pixels.width, below = y + 1 < pixels.height ? y + 1 : y;
    std::uint8_t *const y_top = out.y + y * out.y_stride, *const y_bottom = y_top + out.y_stride;
    std::uint8_t *const chroma[2] = {out.cb + y / 2 * out.c_stride, out.cr + y / 2 * out.c_stride};
    const float offsets[2] = {matrix.cb[3], matrix.cr[3]};
    const std::ptrdiff_t ahead = in_place<Type>(pixels) && y + 3 < pixels.height ? 2 * pixels.row_stride : 0;
    for (int x = 0; x < width; x += tile_width) {
        const int n = width - x < tile_width ? width - x : tile_width;
        const Row top = load_row<Type>(pixels, matrix, x, y, n, state.tiles[0], state);
        const Row bottom = load_row<Type>(pixels, matrix, x, below, n, state.tiles[1], state);
        tile_to_planes<Type>(top, bottom, matrix, n, ahead, y_top + x, y_bottom + x, state);
        for (int c = 0; c < 2; ++c) {
            float *const sums = state.sums[c].row;
            if (x == 0) sums[-1] = sums[0];         // the first column, repeated
            if (n % 2 == 1) sums[n] = sums[n - 1];  // the last of an odd width, repeated
            chroma_row(sums, (n + 1) / 2, offsets[c], chroma[c] + x / 2);
            sums[-1] = sums[n - 1];
        }
    }
    if (width % 2 == 1) {
        y_top[width] = y_top[width - 1];
        y_bottom[width] = y_bottom[width - 1];
    }
}

template <class Type>
Statistics frame_to_planes(const Pixels &pixels, const Matrix &matrix, const Planes &out) {
    State state;
    state.deviation = 0;
    state.alpha = 1.0f;
    for (int y = 0; y < pixels.height; y += 2) row_pair<Type>(pixels, matrix, y, out, state);
    return {bit_cast<float>(state.deviation), state.alpha};
}

// ---- planes to RGB -------------------------------------------------------------------------------------------------

// A chroma row for the luma row y, interpolated down; `from` to `from + n` may leave the plane, whose edge is repeated.
template <class Type>
void chroma_between_rows(const Picture &picture, const char *plane, int y, int from, int n, float *__restrict to) {
    const int shift = picture.log2_chroma_height;
    const int rows = (picture.height + (1 << shift) - 1) >> shift;
    const int columns = (picture.width + (1 << picture.log2_chroma_width) - 1) >> picture.log2_chroma_width;
    const int near = y >> shift;
    int far = near;
    float weight = 0.0f;
    if (shift == 1) {
        far = y % 2 == 0 ? near - 1 : near + 1;
        weight = 0.5f * (y % 2 == 0 ? picture.chroma_y : 1.0f - picture.chroma_y);
    }
    far = far < 0 ? 0 : far >= rows ? rows - 1 : far;
    const char *const a = plane + near * picture.c_stride, *const b = plane + far * picture.c_stride;
    for (int i = 0; i < n; ++i) {
        const int column = from + i < 0 ? 0 : from + i >= columns ? columns - 1 : from + i;
        const std::ptrdiff_t at = column * static_cast<std::ptrdiff_t>(sizeof(typename Type::Stored));
        const float here = Type::value(stored_at<typename Type::Stored>(a + at));
        const float there = Type::value(stored_at<typename Type::Stored>(b + at));
        to[i] = here + weight * (there - here);
    }
}

// chroma[1] belongs to the tile's first pair of columns.
void chroma_between_columns(const float *__restrict chroma, float chroma_x, int n, float *__restrict to) {
    const float before = 0.5f * chroma_x, after = 0.5f * (1.0f - chroma_x);
    for (int i = 0; 2 * i < n; ++i) {
        to[2 * i] = chroma[i + 1] + before * (chroma[i] - chroma[i + 1]);
        to[2 * i + 1] = chroma[i + 1] + after * (chroma[i + 2] - chroma[i + 1]);
    }
}

inline std::uint8_t limited_to_byte(float value) {
    value = value > 0.0f ? value : 0.0f;
    return truncated(value < 255.0f ? value + 0.5f : 255.5f);
}

template <class Type>
void planes_to_rgb(const Picture &picture, const InverseMatrix &m, std::uint8_t *rgb) {
    alignas(64) float luma[tile_width], chroma[2][tile_width], subsampled[tile_width + 16];
    const bool subsampled_columns = picture.log2_chroma_width == 1;
    for (int y = 0; y < picture.height; ++y)
        for (int x = 0; x < picture.width; x += tile_width) {
            const int n = picture.width - x < tile_width ? picture.width - x : tile_width;
            const char *row = picture.y + y * picture.y_stride;
            load_planar<Type>(row + x * static_cast<std::ptrdiff_t>(sizeof(typename Type::Stored)), n, luma);
            const char *const planes[2] = {picture.cb, picture.cr};
            for (int c = 0; c < 2; ++c) {
                if (subsampled_columns) {
                    chroma_between_rows<Type>(picture, planes[c], y, x / 2 - 1, (n + 1) / 2 + 2, subsampled);
                    chroma_between_columns(subsampled, picture.chroma_x, n, chroma[c]);
                } else {
                    chroma_between_rows<Type>(picture, planes[c], y, x, n, chroma[c]);
                }
            }
            std::uint8_t *__restrict to = rgb + (static_cast<std::ptrdiff_t>(y) * picture.width + x) * 3;
            for (int i = 0; i < n; ++i) {
                const float grey = m.luma * luma[i], cb = chroma[0][i], cr = chroma[1][i];
                to[3 * i] = limited_to_byte(grey + m.r_cr * cr + m.offset[0]);
                to[3 * i + 1] = limited_to_byte(grey + m.g_cb * cb + m.g_cr * cr + m.offset[1]);
                to[3 * i + 2] = limited_to_byte(grey + m.b_cb * cb + m.offset[2]);
            }
        }
}

}  // namespace

Statistics to_planes(const Pixels &pixels, const Matrix &matrix, const Planes &out) {
    switch (pixels.sample) {
        case Sample::uint8: return frame_to_planes<Uint8>(pixels, matrix, out);
        case Sample::uint16: return frame_to_planes<Uint16>(pixels, matrix, out);
        case Sample::float16: return frame_to_planes<Float16>(pixels, matrix, out);
        case Sample::bfloat16: return frame_to_planes<Bfloat16>(pixels, matrix, out);
        case Sample::float32: return frame_to_planes<Float32>(pixels, matrix, out);
        case Sample::float64: return frame_to_planes<Float64>(pixels, matrix, out);
    }
    return {0.0f, 1.0f};
}

void to_rgb(const Picture &picture, const InverseMatrix &matrix, std::uint8_t *rgb) {
    if (picture.bytes_per_sample == 1)
        planes_to_rgb<Uint8>(picture, matrix, rgb);
    else
        planes_to_rgb<Uint16>(picture, matrix, rgb);
}

}  // namespace TELECINE_ISA
}  // namespace telecine
