// Memory that runs out: while an object lives, allocations of its thread fail by number. Only in
// programs that are linked with failing_new.cc, whose operator new replaces the standard one.

#ifndef TILEWRIGHT_TESTS_WORKER_FAULTY_FAILING_NEW_H_
#define TILEWRIGHT_TESTS_WORKER_FAULTY_FAILING_NEW_H_

#include <cstdint>

namespace tilewright {

class FailingNew {
 public:
  enum class Which {
    kEvery,  // the number-th, and after it each number-th again, counted over all objects of the
             // thread
    kOnly,   // the number-th of this object
  };
  // Those allocations, of 4 KiB or more, throw std::bad_alloc; number 0: none does. Objects of one
  // thread must not overlap.
  explicit FailingNew(uint64_t number, Which which = Which::kEvery);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;

  // Allocations of 4 KiB or more since the object was made.
  uint64_t seen() const;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_FAULTY_FAILING_NEW_H_
