// What GCC and Clang spell in one way and MSVC in another. Clang in MSVC's place (clang-cl) knows the first, too.
//
// TELECINE_LOOP: a function that is not inlined. Inlined, a loop's pointers lose their __restrict and the loop its
// vectors. TELECINE_ANY_FLOAT: a function that makes an int of a float that may be out of an int's range. C++ leaves
// the result undefined, every processor gives some number, and what calls this writes over it.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define TELECINE_LOOP __declspec(noinline)
#define TELECINE_ANY_FLOAT
#define TELECINE_PREFETCH(at) _mm_prefetch(at, _MM_HINT_T0)
#else
#define TELECINE_LOOP __attribute__((noinline))
#define TELECINE_ANY_FLOAT __attribute__((no_sanitize("float-cast-overflow")))
#define TELECINE_PREFETCH(at) __builtin_prefetch(at)
#endif
