// A decoded picture's planes to RGB, exactly rounded or as floats, with chroma interpolated linearly.

#include "tiles.h"

namespace telecine {
namespace TELECINE_ISA {
namespace {

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

inline void store(float value, std::uint8_t &to) {
    value = value > 0.0f ? value : 0.0f;
    to = static_cast<std::uint8_t>(static_cast<int>(value < 255.0f ? value + 0.5f : 255.5f));
}

inline void store(float value, float &to) { to = value; }

template <class Type, class Out>
void planes_to_rgb(const Picture &picture, const InverseMatrix &m, Out *rgb) {
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
            Out *__restrict to = rgb + (static_cast<std::ptrdiff_t>(y) * picture.width + x) * 3;
            for (int i = 0; i < n; ++i)
                for (int c = 0; c < 3; ++c) {
                    const float *const weights = m.component[c];
                    store(weights[0] * luma[i] + weights[1] * chroma[0][i] + weights[2] * chroma[1][i] + weights[3],
                          to[3 * i + c]);
                }
        }
}

template <class Out>
void picture_to_rgb(const Picture &picture, const InverseMatrix &matrix, Out *rgb) {
    if (picture.bytes_per_sample == 1)
        planes_to_rgb<Uint8>(picture, matrix, rgb);
    else
        planes_to_rgb<Uint16>(picture, matrix, rgb);
}

}  // namespace

void to_rgb(const Picture &picture, const InverseMatrix &matrix, std::uint8_t *rgb) {
    picture_to_rgb(picture, matrix, rgb);
}

void to_float_rgb(const Picture &picture, const InverseMatrix &matrix, float *rgb) {
    picture_to_rgb(picture, matrix, rgb);
}

}  // namespace TELECINE_ISA
}  // namespace telecine
