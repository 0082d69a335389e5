// The Python binding of the kernels: checks every size and address, picks the instruction set, releases the GIL.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernel.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#endif

namespace nb = nanobind;
using namespace telecine;

namespace {

struct Kernels {
    const char *name;
    ToPlanes to_planes;
    ToRgb to_rgb;
    ToFloatRgb to_float_rgb;
    ToSignal to_signal;
};

constexpr Kernels kernel_table[] = {
#ifdef TELECINE_X86
    {"avx512", avx512::to_planes, avx512::to_rgb, avx512::to_float_rgb, avx512::to_signal},
    {"avx2", avx2::to_planes, avx2::to_rgb, avx2::to_float_rgb, avx2::to_signal},
#endif
    {"baseline", baseline::to_planes, baseline::to_rgb, baseline::to_float_rgb, baseline::to_signal},
};

bool runs_here(const std::string &name) {
#if defined(TELECINE_X86) && defined(_WIN32)
    // Asked of Windows: what Clang has built in is in a library that clang-cl does not link. The features that Windows
    // has no name for came with these in every processor that runs it.
    if (name == "avx2") return IsProcessorFeaturePresent(PF_AVX2_INSTRUCTIONS_AVAILABLE);
    if (name == "avx512") return IsProcessorFeaturePresent(PF_AVX512F_INSTRUCTIONS_AVAILABLE);
#elif defined(TELECINE_X86)
    // The features of x86-64-v3 and x86-64-v4 that the compiler may use, and that processors have together.
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (name == "avx2") return v3;
    if (name == "avx512")
        return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return name == "baseline";
}

// TELECINE_ISA in the environment asks for a lesser one: for tests and benchmarks.
const Kernels &choose_kernels() {
    const char *asked = std::getenv("TELECINE_ISA");
    for (const Kernels &kernels : kernel_table)
        if (runs_here(kernels.name) && (asked == nullptr || std::string(asked) == kernels.name)) return kernels;
    throw std::runtime_error("TELECINE_ISA=" + std::string(asked) + " does not run on this processor");
}

// A view of a Python object's memory, released at the end of its scope.
class Buffer {
   public:
    Buffer(nb::handle object, int flags) {
        if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    const Py_buffer &operator*() const { return view_; }
    const Py_buffer *operator->() const { return &view_; }

   private:
    Py_buffer view_;
};

void require(bool holds, const char *what) {
    if (!holds) throw nb::value_error(what);
}

std::ptrdiff_t sample_size(Sample sample) {
    constexpr std::ptrdiff_t sizes[] = {1, 2, 2, 2, 4, 8};
    return sizes[static_cast<int>(sample)];
}

Pixels pixels_in(const Buffer &pixels, Sample sample) {
    require(pixels->ndim == 3 && pixels->itemsize == sample_size(sample), "pixels are (H, W, C) of the sample's size");
    const auto height = pixels->shape[0], width = pixels->shape[1], channels = pixels->shape[2];
    require(height > 0 && width > 0 && height < 1 << 20 && width < 1 << 20, "a side is 1 to 2**20 - 1 pixels");
    require(channels == 1 || channels == 3 || channels == 4, "channels are 1, 3 or 4");
    return {static_cast<const char *>(pixels->buf),
            pixels->strides[0],
            pixels->strides[1],
            pixels->strides[2],
            static_cast<int>(width),
            static_cast<int>(height),
            static_cast<int>(channels),
            sample};
}

// A plane of a frame: `stride` bytes from row to row in a flat buffer.
char *plane_memory(const Buffer &plane, std::ptrdiff_t stride, std::ptrdiff_t row_bytes, std::ptrdiff_t rows) {
    // No product, which could be more than fits.
    require(stride >= row_bytes && plane->len >= row_bytes && (plane->len - row_bytes) / stride >= rows - 1,
            "a plane is smaller than its picture");
    return static_cast<char *>(plane->buf);
}

// What the codes of a pixel format look like in memory.
struct Format {
    int components;
    bool packed;
    int bytes_per_sample;
    std::array<int, 2> log2_chroma;
};

Planes planes_in(const Format &format, const std::deque<Buffer> &buffers, const std::vector<std::ptrdiff_t> &strides,
                 std::ptrdiff_t width, std::ptrdiff_t height) {
    require(buffers.size() == (format.packed ? 1u : static_cast<unsigned>(format.components)) &&
                strides.size() == buffers.size(),
            "the format has another number of planes");
    Planes out{{},
               {},
               format.components,
               format.packed,
               format.bytes_per_sample,
               format.log2_chroma[0],
               format.log2_chroma[1],
               nullptr};
    const auto columns = ((width - 1) >> format.log2_chroma[0]) + 1, rows = ((height - 1) >> format.log2_chroma[1]) + 1;
    for (std::size_t plane = 0; plane < buffers.size(); ++plane) {
        const bool chroma = plane == 1 || plane == 2;
        const int wide = chroma ? 0 : format.log2_chroma[0], high = chroma ? 0 : format.log2_chroma[1];
        const auto samples = (columns << wide) * (format.packed ? format.components : 1);
        out.plane[plane] =
            plane_memory(buffers[plane], strides[plane], samples * format.bytes_per_sample, rows << high);
        out.stride[plane] = strides[plane];
        require(strides[plane] % format.bytes_per_sample == 0 &&
                    reinterpret_cast<std::uintptr_t>(out.plane[plane]) % format.bytes_per_sample == 0,
                "a plane is not aligned to its samples");
    }
    return out;
}

std::pair<float, float> convert_to_planes(nb::handle frame, Sample sample, const Matrix &matrix, const Format &format,
                                          const std::vector<nb::object> &planes,
                                          const std::vector<std::ptrdiff_t> &strides, nb::handle thresholds) {
    const Buffer pixels(frame, PyBUF_STRIDES);
    const Pixels in = pixels_in(pixels, sample);
    std::deque<Buffer> buffers;
    for (const nb::object &plane : planes) buffers.emplace_back(plane, PyBUF_WRITABLE);
    Planes out = planes_in(format, buffers, strides, in.width, in.height);
    std::deque<Buffer> dither;
    if (!thresholds.is_none()) {
        const Buffer &held = dither.emplace_back(thresholds, PyBUF_ND);
        require(held->len == threshold_rows * threshold_columns * static_cast<std::ptrdiff_t>(sizeof(float)) &&
                    held->itemsize == sizeof(float) && format.bytes_per_sample == 1,
                "thresholds are (64, 512) float32, for 8 bit");
        out.thresholds = static_cast<const float *>(held->buf);
    }
    static const Kernels &kernels = choose_kernels();
    const nb::gil_scoped_release release;
    const Statistics statistics = kernels.to_planes(in, matrix, out);
    return {statistics.deviation, statistics.alpha};
}

void convert_to_rgb(nb::handle y, nb::handle cb, nb::handle cr, std::ptrdiff_t y_stride, std::ptrdiff_t c_stride,
                    int bytes_per_sample, std::array<int, 2> log2_chroma, std::array<float, 2> chroma_location,
                    const InverseMatrix &matrix, nb::handle rgb) {
    const Buffer planes[3] = {{y, PyBUF_SIMPLE}, {cb, PyBUF_SIMPLE}, {cr, PyBUF_SIMPLE}};
    const Buffer out(rgb, PyBUF_WRITABLE | PyBUF_ND);
    require(out->ndim == 3 && out->shape[2] == 3 && (out->itemsize == 1 || out->itemsize == sizeof(float)),
            "rgb is (H, W, 3) uint8 or float32, contiguous");
    const auto height = out->shape[0], width = out->shape[1];
    require(height > 0 && width > 0 && height < 1 << 20 && width < 1 << 20, "a side is 1 to 2**20 - 1 pixels");
    require(bytes_per_sample == 1 || bytes_per_sample == 2, "samples are 1 or 2 bytes");
    for (const int shift : log2_chroma) require(shift == 0 || shift == 1, "chroma is whole or halved");
    const auto columns = (width + (1 << log2_chroma[0]) - 1) >> log2_chroma[0];
    const auto rows = (height + (1 << log2_chroma[1]) - 1) >> log2_chroma[1];
    const Picture picture{plane_memory(planes[0], y_stride, width * bytes_per_sample, height),
                          plane_memory(planes[1], c_stride, columns * bytes_per_sample, rows),
                          plane_memory(planes[2], c_stride, columns * bytes_per_sample, rows),
                          y_stride,
                          c_stride,
                          static_cast<int>(width),
                          static_cast<int>(height),
                          bytes_per_sample,
                          log2_chroma[0],
                          log2_chroma[1],
                          chroma_location[0],
                          chroma_location[1]};
    static const Kernels &kernels = choose_kernels();
    const nb::gil_scoped_release release;
    if (out->itemsize == 1)
        kernels.to_rgb(picture, matrix, static_cast<std::uint8_t *>(out->buf));
    else
        kernels.to_float_rgb(picture, matrix, static_cast<float *>(out->buf));
}

// A grade whose curves lie in Python's arrays, float32 pairs, which this holds.
class HeldGrade {
   public:
    HeldGrade(const std::array<std::array<float, 3>, 3> &matrix, float low, float high, std::array<float, 3> background,
              const std::array<nb::object, 4> &curves, bool factor_of_level, std::array<float, 3> weights, float peak) {
        require(low < high && std::isfinite(low) && std::isfinite(high), "low < high, both finite");
        for (std::size_t row = 0; row < 3; ++row) std::copy(matrix[row].begin(), matrix[row].end(), grade_.matrix[row]);
        std::copy(background.begin(), background.end(), grade_.background);
        std::copy(weights.begin(), weights.end(), grade_.weights);
        grade_.low = low, grade_.high = high, grade_.peak = peak, grade_.factor_of_level = factor_of_level;
        Curve *const of_grade[] = {&grade_.signal, &grade_.level, &grade_.scene, &grade_.luminance};
        for (std::size_t at = 0; at < curves.size(); ++at) *of_grade[at] = curve_in(curves[at]);
    }
    HeldGrade(const HeldGrade &) = delete;
    HeldGrade &operator=(const HeldGrade &) = delete;
    const Grade &operator*() const { return grade_; }

   private:
    Curve curve_in(nb::handle pieces) {
        if (pieces.is_none()) return {nullptr, 0};
        const Buffer &buffer = held_.emplace_back(pieces, PyBUF_ND);
        require(buffer->ndim == 2 && buffer->shape[1] == 2 && buffer->itemsize == sizeof(float) &&
                    buffer->shape[0] > 0 && buffer->shape[0] <= 256 << curve_log2_points,
                "a curve is (N, 2) float32");
        return {static_cast<const float *>(buffer->buf), static_cast<int>(buffer->shape[0])};
    }

    Grade grade_{};
    std::deque<Buffer> held_;
};

std::tuple<float, double, float, float> convert_to_signal(nb::handle frame, Sample sample, const HeldGrade &grade,
                                                          nb::handle signal) {
    const Buffer pixels(frame, PyBUF_STRIDES);
    const Pixels in = pixels_in(pixels, sample);
    const Buffer out(signal, PyBUF_WRITABLE | PyBUF_ND);
    require(out->ndim == 3 && out->shape[0] == 3 && out->shape[1] == in.height && out->shape[2] == in.width &&
                out->itemsize == sizeof(float),
            "signal is (3, H, W) float32, contiguous");
    static const Kernels &kernels = choose_kernels();
    const nb::gil_scoped_release release;
    const Levels levels = kernels.to_signal(in, *grade, static_cast<float *>(out->buf));
    return {levels.largest, levels.sum, levels.alpha, levels.deviation};
}

// The structures of the Arrow C data interface (arrow.apache.org/docs/format/CDataInterface.html), as far as read here.
struct ArrowSchema {
    const char *format;
    const char *name, *metadata;
    std::int64_t flags, n_children;
    ArrowSchema **children;
};

struct ArrowArray {
    std::int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    ArrowArray **children;
};

// The bytes behind what `__arrow_c_array__` gave, read in place: uint8, or fixed-size lists of four uint8.
nb::object arrow_bytes(nb::capsule schema_capsule, nb::capsule array_capsule) {
    const auto *schema = static_cast<const ArrowSchema *>(schema_capsule.data("arrow_schema"));
    const auto *array = static_cast<const ArrowArray *>(array_capsule.data("arrow_array"));
    std::int64_t width = 1;
    if (std::string(schema->format) == "+w:4" && schema->n_children == 1 && array->n_children == 1) {
        width = 4;
        schema = schema->children[0];
        array = array->children[0];
    }
    require(std::string(schema->format) == "C" && array->offset == 0 && array->n_buffers == 2,
            "the image does not export bytes");
    const auto length = static_cast<std::size_t>(array->length);
    require(length % static_cast<std::size_t>(width) == 0, "the image does not export whole pixels");
    return nb::cast(
        nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<1>>(array->buffers[1], {length}, array_capsule));
}

}  // namespace

NB_MODULE(_convert, m) {
    nb::set_leak_warnings(false);  // of an error's traceback that lives when the interpreter ends
    m.doc() = "Pixels to planes and back; see telecine.planes.convert.";
    nb::enum_<Sample>(m, "Sample")
        .value("uint8", Sample::uint8)
        .value("uint16", Sample::uint16)
        .value("float16", Sample::float16)
        .value("bfloat16", Sample::bfloat16)
        .value("float32", Sample::float32)
        .value("float64", Sample::float64);
    using Rows = std::array<std::array<float, 4>, 3>;
    const auto copy = [](const Rows &rows, float (&to)[3][4]) {
        for (std::size_t row = 0; row < 3; ++row) std::copy(rows[row].begin(), rows[row].end(), to[row]);
    };
    nb::class_<Matrix>(m, "Matrix")
        .def(
            "__init__",
            [copy](Matrix *self, const Rows &components, std::array<float, 2> alpha, float low, float high,
                   std::array<float, 3> background) {
                require(low < high && std::isfinite(low) && std::isfinite(high), "low < high, both finite");
                *self = {{}, {alpha[0], alpha[1]}, low, high, {background[0], background[1], background[2]}};
                copy(components, self->component);
            },
            nb::arg("components"), nb::arg("alpha"), nb::arg("low"), nb::arg("high"), nb::arg("background"))
        // Read back as the floats they are: the conversion on an accelerator has the same.
        .def_prop_ro("components",
                     [](const Matrix &self) {
                         Rows rows;
                         for (std::size_t row = 0; row < 3; ++row)
                             std::copy_n(self.component[row], 4, rows[row].begin());
                         return rows;
                     })
        .def_prop_ro("alpha", [](const Matrix &self) { return std::array{self.alpha[0], self.alpha[1]}; })
        .def_prop_ro(
            "background",
            [](const Matrix &self) { return std::array{self.background[0], self.background[1], self.background[2]}; })
        .def_ro("low", &Matrix::low)
        .def_ro("high", &Matrix::high);
    nb::class_<InverseMatrix>(m, "InverseMatrix")
        .def(
            "__init__", [copy](InverseMatrix *self, const Rows &components) { copy(components, self->component); },
            nb::arg("components"));
    nb::class_<HeldGrade>(m, "Grade")
        .def(nb::init<const std::array<std::array<float, 3>, 3> &, float, float, std::array<float, 3>,
                      const std::array<nb::object, 4> &, bool, std::array<float, 3>, float>(),
             nb::arg("matrix"), nb::arg("low"), nb::arg("high"), nb::arg("background"), nb::arg("curves"),
             nb::arg("factor_of_level"), nb::arg("weights"), nb::arg("peak"));
    nb::class_<Format>(m, "Format")
        .def(
            "__init__",
            [](Format *self, int components, bool packed, int bytes_per_sample, std::array<int, 2> log2_chroma) {
                require(components == 3 || components == 4, "components are 3, or 4 with alpha");
                require(bytes_per_sample == 1 || bytes_per_sample == 2, "samples are 1 or 2 bytes");
                for (const int shift : log2_chroma)
                    require(shift == 0 || (shift == 1 && !packed), "chroma is whole, or halved in planes");
                *self = {components, packed, bytes_per_sample, log2_chroma};
            },
            nb::arg("components"), nb::arg("packed"), nb::arg("bytes_per_sample"), nb::arg("log2_chroma"));
    m.def("to_planes", &convert_to_planes, nb::arg("pixels"), nb::arg("sample"), nb::arg("matrix"), nb::arg("format"),
          nb::arg("planes"), nb::arg("strides"), nb::arg("thresholds").none());
    m.def("to_rgb", &convert_to_rgb, nb::arg("y"), nb::arg("cb"), nb::arg("cr"), nb::arg("y_stride"),
          nb::arg("c_stride"), nb::arg("bytes_per_sample"), nb::arg("log2_chroma"), nb::arg("chroma_location"),
          nb::arg("matrix"), nb::arg("rgb"));
    m.def("to_signal", &convert_to_signal, nb::arg("pixels"), nb::arg("sample"), nb::arg("grade"), nb::arg("signal"));
    m.def("arrow_bytes", &arrow_bytes, nb::arg("schema"), nb::arg("array"));
    m.def("instruction_set", [] { return choose_kernels().name; });
}
