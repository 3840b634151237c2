// Whether a test runs under a sanitizer, 10 to 100 times slower: exhaustive sweeps then take a
// share of their cases.

#ifndef TILEWRIGHT_TESTS_PROTO_BASE_SANITIZED_H_
#define TILEWRIGHT_TESTS_PROTO_BASE_SANITIZED_H_

namespace tilewright {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_PROTO_BASE_SANITIZED_H_
