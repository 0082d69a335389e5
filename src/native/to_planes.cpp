// Pixels to the planes of a frame, exactly rounded.
//
// A tile is of one row, or of a pair where chroma is halved in height, so every pixel is read from memory once; planar
// float32 is read in place. All formats are three sums of R, G and B with other weights: Y', Cb and Cr, or R, G and B
// themselves. Float32 carries 24 bits: the error of the few operations below is under 1e-4 of an 8-bit code.

#include <initializer_list>

#include "tiles.h"

namespace telecine {
namespace TELECINE_ISA {
namespace {

constexpr int block_width = 128;  // columns between two rounds of prefetching

// Where the float32 samples of a row of a tile are: in a Tile, or in the caller's frame, which need not be aligned.
struct Row {
    const char *r, *g, *b;
};

// Straight alpha over the background.
void composite(const Matrix &matrix, int n, Tile &tile) {
    const float low = matrix.low, high = matrix.high;
    const float *__restrict alpha = tile.channel[3];
    for (int c = 0; c < 3; ++c) {
        float *__restrict v = tile.channel[c];
        const float ground = matrix.background[c];
        for (int x = 0; x < n; ++x) {
            float value = v[x] > low ? v[x] : low;
            value = value < high ? value : high;
            v[x] = ground + alpha[x] * (value - ground);
        }
    }
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
// ---- float rows to codes -------------------------------------------------------------------------------------------

// The 0.5 that makes truncation round is in the matrix's offsets.
template <class Stored>
struct Rounded {
    using Code = Stored;
    static Rounded in_row(const Planes &, int) { return {}; }
    Rounded from_column(int) const { return *this; }
    TELECINE_ANY_FLOAT Code code(float value, int) const { return static_cast<Code>(static_cast<int>(value)); }
};

struct Dithered {
    using Code = std::uint8_t;
    const float *threshold;
    static Dithered in_row(const Planes &out, int y) {
        return {out.thresholds + y % threshold_rows * threshold_columns};
    }
    Dithered from_column(int x) const { return {threshold + x}; }
    TELECINE_ANY_FLOAT Code code(float value, int x) const {
        value += threshold[x];
        return static_cast<Code>(static_cast<int>(value < 255.0f ? value : 255.0f));
    }
};
// One or two rows of a tile: their first component, and the other two, summed over the rows, as float.
template <int rows, class Limit, class Rounding>
TELECINE_LOOP Limit components(const Row &top, const Row &bottom, const Matrix &m, int n, Limit limit,
                               Rounding round_top, Rounding round_bottom, typename Rounding::Code *__restrict first_top,
                               typename Rounding::Code *__restrict first_bottom, float *__restrict second,
                               float *__restrict third) {
    const float yr = m.component[0][0], yg = m.component[0][1], yb = m.component[0][2], y0 = m.component[0][3];
    const float br = m.component[1][0], bg = m.component[1][1], bb = m.component[1][2];
    const float rr = m.component[2][0], rg = m.component[2][1], rb = m.component[2][2];
    for (int x = 0; x < n; ++x) {
        const std::ptrdiff_t at = x * static_cast<std::ptrdiff_t>(sizeof(float));
        float r = limit.above_low(stored_at<float>(top.r + at));
        float g = limit.above_low(stored_at<float>(top.g + at));
        float b = limit.above_low(stored_at<float>(top.b + at));
        first_top[x] = round_top.code(yr * r + yg * g + yb * b + y0, x);
        if (rows == 2) {
            const float r1 = limit.above_low(stored_at<float>(bottom.r + at));
            const float g1 = limit.above_low(stored_at<float>(bottom.g + at));
            const float b1 = limit.above_low(stored_at<float>(bottom.b + at));
            first_bottom[x] = round_bottom.code(yr * r1 + yg * g1 + yb * b1 + y0, x);
            r += r1, g += g1, b += b1;
        }
        second[x] = br * r + bg * g + bb * b;
        third[x] = rr * r + rg * g + rb * b;
    }
    return limit;
}

template <class Rounding>
TELECINE_LOOP void whole_row(const float *__restrict values, int n, float scale, float offset, Rounding rounding,
                             typename Rounding::Code *__restrict out) {
    for (int x = 0; x < n; ++x) out[x] = rounding.code(values[x] * scale + offset, x);
}

// 1-2-1 about every even column, chroma sited left (ITU-T H.264 E.2.1, chroma_sample_loc_type 0). values[-1] is the
// column before the tile.
template <int rows, class Rounding>
TELECINE_LOOP void halved_row(const float *__restrict values, int n, float offset, Rounding rounding,
                              typename Rounding::Code *__restrict out) {
    for (int i = 0; i < n; ++i)
        out[i] =
            rounding.code((values[2 * i - 1] + 2.0f * values[2 * i] + values[2 * i + 1]) * (0.25f / rows) + offset, i);
}

template <class Code, int components>
TELECINE_LOOP void interleave(const Code (&rows)[4][tile_width], int n, Code *__restrict out) {
    for (int x = 0; x < n; ++x)
        for (int c = 0; c < components; ++c) out[components * x + c] = rows[c][x];
}

// ---- a frame -------------------------------------------------------------------------------------------------------

// A frame's pixels, and what to do with them.
struct Source {
    const Pixels &pixels;
    const Matrix &matrix;
    bool keeps_alpha;  // in a plane of its own: nothing is composited
    bool integer;
    bool in_place;  // float32 rows, read where they are
    void (*load)(const Pixels &pixels, const char *from, int n, Tile &tile);
};

template <class Type>
Source source_of(const Pixels &pixels, const Matrix &matrix, bool keeps_alpha) {
    constexpr bool is_float = sizeof(typename Type::Stored) == sizeof(float);
    const bool in_place =
        is_float && pixels.channels != 4 && pixels.column_stride == static_cast<std::ptrdiff_t>(sizeof(float));
    return {pixels, matrix, keeps_alpha, Type::integer, in_place, load_channels<Type>};
}

Source source_of(const Pixels &pixels, const Matrix &matrix, bool keeps_alpha) {
    switch (pixels.sample) {
        case Sample::uint8: return source_of<Uint8>(pixels, matrix, keeps_alpha);
        case Sample::uint16: return source_of<Uint16>(pixels, matrix, keeps_alpha);
        case Sample::float16: return source_of<Float16>(pixels, matrix, keeps_alpha);
        case Sample::bfloat16: return source_of<Bfloat16>(pixels, matrix, keeps_alpha);
        case Sample::float32: return source_of<Float32>(pixels, matrix, keeps_alpha);
        default: return source_of<Float64>(pixels, matrix, keeps_alpha);
    }
}

// What a frame's loops carry from tile to tile.
struct State {
    Tile tiles[2];
    struct {
        alignas(64) float before[16];  // the last one is the column before the tile
        float row[tile_width + 16];
    } chroma[2];
    std::int32_t deviation;
    float alpha;
};

// The alpha of a loaded tile, kept or used up.
TELECINE_LOOP void take_alpha(const Source &source, int n, Tile &tile, State &state) {
    // Looked at before clamping and compositing, which would hide what is out of range or not a number.
    if (!source.integer)
        for (int c = source.keeps_alpha ? 3 : 0; c < 4; ++c)
            state.deviation = largest_deviation(reinterpret_cast<const char *>(tile.channel[c]), n, source.matrix.low,
                                                source.matrix.high, state.deviation);
    normalize_alpha(source.matrix.low, source.matrix.high, n, tile.channel[3]);
    if (source.keeps_alpha) return;
    state.alpha = smallest_alpha(tile.channel[3], n, state.alpha);
    composite(source.matrix, n, tile);
}

inline Row load_row(const Source &source, int x, int y, int n, Tile &tile, State &state) {
    const Pixels &pixels = source.pixels;
    const char *from = pixels.data + y * pixels.row_stride + x * pixels.column_stride;
    if (source.in_place) {
        const std::ptrdiff_t next = pixels.channels == 1 ? 0 : pixels.channel_stride;
        return {from, from + next, from + 2 * next};
    }
    source.load(pixels, from, n, tile);
    if (pixels.channels == 4) take_alpha(source, n, tile, state);
    const auto at = [&](int c) { return reinterpret_cast<const char *>(tile.channel[c]); };
    return pixels.channels == 1 ? Row{at(0), at(0), at(0)} : Row{at(0), at(1), at(2)};
}

Row from_column(const Row &row, int x) {
    const std::ptrdiff_t at = x * static_cast<std::ptrdiff_t>(sizeof(float));
    return {row.r + at, row.g + at, row.b + at};
}

// `ahead` is the way from these rows to the next ones, in bytes, where they are read in place; else 0.
template <int rows, class Rounding, class Code = typename Rounding::Code>
void tile_components(const Source &source, const Row &top, const Row &bottom, int n, std::ptrdiff_t ahead,
                     const Rounding (&rounding)[rows], Code *first_top, Code *first_bottom, State &state) {
    const Matrix &matrix = source.matrix;
    float *const second = state.chroma[0].row, *const third = state.chroma[1].row;
    const Rounding &round_bottom = rounding[rows - 1];
    if (source.integer) {
        components<rows>(top, bottom, matrix, n, Integer{}, rounding[0], round_bottom, first_top, first_bottom, second,
                         third);
        return;
    }
    const float span = matrix.high - matrix.low;
    const int block = ahead != 0 ? block_width : n;
    Unchecked seen{matrix.low, 0};
    for (int x = 0; x < n; x += block) {
        const int count = n - x < block ? n - x : block;
        const Row t = from_column(top, x), b = from_column(bottom, x);
        // Six streams are more than processors prefetch by themselves: a frame that is not in the cache takes half the
        // time when these columns of the next rows are asked for now, a few lines at a time.
        if (ahead != 0)
            for (const char *samples : {t.r, t.g, t.b, b.r, b.g, b.b})
                for (int i = 0; i < count; i += 16) TELECINE_PREFETCH(samples + ahead + i * sizeof(float));
        seen = components<rows>(t, b, matrix, count, seen, rounding[0].from_column(x), round_bottom.from_column(x),
                                first_top + x, first_bottom + x, second + x, third + x);
    }
    if (seen.largest <= bit_cast<std::uint32_t>(span)) return;
    // Something is out of range: this tile again, clamped, while it is in the cache.
    components<rows>(top, bottom, matrix, n, Clamped{matrix.low, span}, rounding[0], round_bottom, first_top,
                     first_bottom, second, third);
    for (const char *samples : {top.r, top.g, top.b, bottom.r, bottom.g, bottom.b})
        state.deviation = largest_deviation(samples, n, matrix.low, matrix.high, state.deviation);
}

// The tiles of one row, or of a pair that shares its chroma. Below an odd height the bottom row is the top row again.
template <int rows, class Rounding>
void row_group(const Source &source, int y, const Planes &out, State &state) {
    using Code = typename Rounding::Code;
    const Pixels &pixels = source.pixels;
    const Matrix &matrix = source.matrix;
    const int width = pixels.width, below = y + rows - 1 < pixels.height ? y + rows - 1 : y;
    const std::ptrdiff_t ahead = source.in_place && y + 2 * rows - 1 < pixels.height ? rows * pixels.row_stride : 0;
    const bool halved = out.log2_chroma_width == 1;
    Code packed[4][tile_width];
    const auto plane_row = [&](int plane, int row) {
        return out.packed ? packed[plane] : reinterpret_cast<Code *>(out.plane[plane] + row * out.stride[plane]);
    };
    for (int x = 0; x < width; x += tile_width) {
        const int n = width - x < tile_width ? width - x : tile_width, at = out.packed ? 0 : x;
        const Row top = load_row(source, x, y, n, state.tiles[0], state);
        const Row bottom = rows == 2 ? load_row(source, x, below, n, state.tiles[1], state) : top;
        Rounding rounding[rows];
        for (int row = 0; row < rows; ++row) rounding[row] = Rounding::in_row(out, y + row);
        tile_components<rows, Rounding>(source, top, bottom, n, ahead, rounding, plane_row(0, y) + at,
                                        plane_row(0, y + rows - 1) + at, state);
        for (int c = 0; c < 2; ++c) {
            float *const values = state.chroma[c].row;
            const float offset = matrix.component[c + 1][3];
            Code *const to = plane_row(c + 1, y / rows);
            const Rounding of_row = Rounding::in_row(out, y / rows);
            if (!halved) {
                whole_row(values, n, 1.0f / rows, offset, of_row, to + at);
                continue;
            }
            if (x == 0) values[-1] = values[0];         // the first column, repeated
            if (n % 2 == 1) values[n] = values[n - 1];  // the last of an odd width, repeated
            halved_row<rows>(values, (n + 1) / 2, offset, of_row, to + x / 2);
            values[-1] = values[n - 1];
        }
        if (source.keeps_alpha)
            for (int row = 0; row < rows; ++row)
                whole_row(state.tiles[row].channel[3], n, matrix.alpha[0], matrix.alpha[1], rounding[row],
                          plane_row(3, y + row) + at);
        if (out.packed) {
            Code *const to = reinterpret_cast<Code *>(out.plane[0] + y * out.stride[0]) + x * out.components;
            out.components == 4 ? interleave<Code, 4>(packed, n, to) : interleave<Code, 3>(packed, n, to);
        }
    }
    if (halved && width % 2 == 1)
        for (int plane = 0; plane < out.components; plane += 3)
            for (int row = y; row < y + rows; ++row) plane_row(plane, row)[width] = plane_row(plane, row)[width - 1];
}

template <class Rounding>
Statistics frame_to_planes(const Source &source, const Planes &out) {
    State state;
    state.deviation = 0;
    state.alpha = 1.0f;
    if (source.keeps_alpha && source.pixels.channels != 4)
        for (Tile &tile : state.tiles)
            for (float &alpha : tile.channel[3]) alpha = 1.0f;
    if (out.log2_chroma_height == 1)
        for (int y = 0; y < source.pixels.height; y += 2) row_group<2, Rounding>(source, y, out, state);
    else
        for (int y = 0; y < source.pixels.height; ++y) row_group<1, Rounding>(source, y, out, state);
    return {bit_cast<float>(state.deviation), state.alpha};
}

}  // namespace

Statistics to_planes(const Pixels &pixels, const Matrix &matrix, const Planes &out) {
    const Source source = source_of(pixels, matrix, out.components == 4);
    if (out.bytes_per_sample == 2) return frame_to_planes<Rounded<std::uint16_t>>(source, out);
    if (out.thresholds != nullptr) return frame_to_planes<Dithered>(source, out);
    return frame_to_planes<Rounded<std::uint8_t>>(source, out);
}

}  // namespace TELECINE_ISA
}  // namespace telecine
