// Processes that take turns: each unit of a dataflow region runs as a fiber until a stream makes it wait, so that streams are no larger
// than hardware has them and a deadlock is seen. For g++ and clang alone; HLS tools have streams of their own.
#pragma once

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace dfc {

class Channel;
class Region;

// A process: its stack, and what it waits for.
struct Fiber {
  std::string name;
  std::function<void()> body;
  Region* region = nullptr;
  ucontext_t context = {};
  void* stack = nullptr;
  const Channel* channel = nullptr;  // that it waits for
  bool for_room = false;             // else for a beat
  bool done = false;
};

// Who runs: one after the other, each until it waits, in streams with room to spare; or, with a seed, anyone, for a random number of reads
// and writes, in streams as deep as the hardware's. The order of reads and writes is the same, so the first is only faster.
class Scheduler {
 public:
  static Scheduler& get() {
    static Scheduler the;
    return the;
  }
  void shuffle(std::uint32_t seed) {
    random_.seed(seed);
    shuffled_ = true;
    begin_turn();
  }
  // Each read and write is counted: a turn may end at any.
  void count() {
    if (--turn_ == 0) end_turn();
  }
  bool is_shuffled() const { return shuffled_; }
  bool in_fiber() const { return current_ != nullptr; }
  Fiber* current() const { return current_; }
  void add(Fiber* fiber) {
    all_.push_back(fiber);
    ready_.push_back(fiber);
    fiber->stack = take_stack();
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = StackBytes;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, &Scheduler::enter, 0);
  }
  void wake(Fiber* fiber) { ready_.push_back(fiber); }
  // Let others run until someone wakes the present fiber.
  void sleep() { go_on(); }
  // Run all fibers from outside of any.
  void run() {
    if (!all_.empty()) go_on();
    free_done();
  }

 private:
  static constexpr std::size_t StackBytes = std::size_t(1) << 26;  // reserved, not used: pages come when they are touched
  static constexpr std::uint64_t Endless = ~std::uint64_t(0);
  static constexpr std::uint32_t LongestTurn = 64;

  static void enter() {
    Scheduler& s = get();
    s.free_done();
    s.current_->body();
    s.current_->done = true;
    s.leave();
  }
  void leave();
  void begin_turn() { turn_ = shuffled_ ? 1 + random_() % LongestTurn : Endless; }
  void end_turn() {
    begin_turn();
    if (current_ == nullptr) return;
    wake(current_);
    go_on();
  }
  void go_on() {
    Fiber* const before = current_;
    if (ready_.empty() && !all_.empty()) deadlock();
    if (ready_.empty()) {
      current_ = nullptr;
    } else {
      const std::size_t which = shuffled_ ? random_() % ready_.size() : 0;
      current_ = ready_[which];
      ready_[which] = ready_.front();
      ready_.pop_front();
      begin_turn();
    }
    if (before == current_) return;
    swapcontext(before ? &before->context : &outside_, current_ ? &current_->context : &outside_);
    free_done();
  }
  [[noreturn]] void deadlock() const;
  void* take_stack() {
    if (!stacks_.empty()) {
      void* const found = stacks_.back();
      stacks_.pop_back();
      return found;
    }
    void* const made = mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED || mprotect(made, 4096, PROT_NONE) != 0) {
      std::fprintf(stderr, "no memory for the stack of a process\n");
      std::exit(4);
    }
    return made;
  }
  // A fiber cannot free the stack that it stands on: the next one does.
  void free_done() {
    if (done_ == nullptr) return;
    stacks_.push_back(done_->stack);
    delete done_;
    done_ = nullptr;
  }

  std::deque<Fiber*> ready_;
  std::vector<Fiber*> all_;
  std::vector<void*> stacks_;
  Fiber* current_ = nullptr;
  Fiber* done_ = nullptr;
  ucontext_t outside_ = {};
  std::mt19937 random_;
  bool shuffled_ = false;
  std::uint64_t turn_ = Endless;
};

// Processes that run at once: calls of a function that HLS tools make a dataflow region of.
class Region {
 public:
  void start(const char* call, std::function<void()> body) {
    Fiber* const fiber = new Fiber;
    fiber->name = std::string(call, std::string(call).find_first_of("(<"));
    fiber->body = std::move(body);
    fiber->region = this;
    left_++;
    Scheduler::get().add(fiber);
  }
  // Return when all have.
  void run() {
    Scheduler& s = Scheduler::get();
    if (!s.in_fiber()) return s.run();
    while (left_ > 0) {
      waiting_ = s.current();
      s.sleep();
    }
  }
  void ended() {
    if (--left_ == 0 && waiting_ != nullptr) Scheduler::get().wake(waiting_);
  }

 private:
  int left_ = 0;
  Fiber* waiting_ = nullptr;
};

// A bounded FIFO without its beats: who waits for it.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  // At most so many beats, or more where nothing is to be found out and fewer turns are faster. Unbounded streams always have room.
  void bound(std::size_t depth, const char* name) {
    depth_ = Scheduler::get().is_shuffled() || depth > Roomy ? depth : Roomy;
    name_ = name;
  }
  std::size_t size() const { return held_; }
  bool empty() const { return held_ == 0; }
  const char* name() const { return name_; }

 protected:
  void before_read() {
    Scheduler::get().count();
    while (held_ == 0) wait(reader_, false);
  }
  void after_read() {
    held_--;
    release(writer_);
  }
  void before_write() {
    Scheduler::get().count();
    while (held_ == depth_) wait(writer_, true);
  }
  void after_write() {
    held_++;
    release(reader_);
  }

 private:
  void wait(Fiber*& place, bool for_room) {
    Scheduler& s = Scheduler::get();
    if (!s.in_fiber()) {
      std::fprintf(stderr, "%s: %s\n", name_, for_room ? "no room for a beat" : "too few beats");
      std::exit(4);
    }
    Fiber* const fiber = s.current();
    fiber->channel = this;
    fiber->for_room = for_room;
    place = fiber;
    s.sleep();
    fiber->channel = nullptr;
  }
  static void release(Fiber*& place) {
    if (place == nullptr) return;
    Scheduler::get().wake(place);
    place = nullptr;
  }

  static constexpr std::size_t Roomy = 1024;
  std::size_t depth_ = ~std::size_t(0);
  std::size_t held_ = 0;
  const char* name_ = "a port";
  Fiber* reader_ = nullptr;
  Fiber* writer_ = nullptr;
};

inline void Scheduler::leave() {
  done_ = current_;
  for (Fiber*& f : all_) {
    if (f == current_) {
      f = all_.back();
      all_.pop_back();
      break;
    }
  }
  done_->region->ended();
  go_on();
  std::abort();  // nobody wakes it
}

inline void Scheduler::deadlock() const {
  std::fprintf(stderr, "deadlock:");
  for (const Fiber* f : all_) {
    if (f->channel == nullptr) continue;  // waits for the processes that it started
    const bool room = f->for_room;
    std::fprintf(stderr, " %s waits for %s %s (%zu beats);", f->name.c_str(), room ? "room in" : "a beat of", f->channel->name(), f->channel->size());
  }
  std::fprintf(stderr, " nobody can go on\n");
  std::exit(4);
}

}  // namespace dfc
