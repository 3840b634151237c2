// Exit statuses of the command line, as its --help documents them: told once more, so that one that
// changes is noticed.

#ifndef TILEWRIGHT_TESTS_CLUSTER_EXIT_STATUS_H_
#define TILEWRIGHT_TESTS_CLUSTER_EXIT_STATUS_H_

namespace tilewright {

inline constexpr int kUsage = 2;
inline constexpr int kInvalid = 3;
inline constexpr int kNotFound = 4;
inline constexpr int kOutputExists = 5;
inline constexpr int kPrecondition = 7;
inline constexpr int kJobFailed = 8;
inline constexpr int kCancelled = 9;
inline constexpr int kExhausted = 10;
inline constexpr int kPermission = 11;
inline constexpr int kHoles = 12;

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_EXIT_STATUS_H_
