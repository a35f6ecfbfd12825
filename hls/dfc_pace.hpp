// When the one loop of a unit with two sides takes a word and when it gives a step: by counters alone, whatever streams do, so that units
// joined by bounded streams never wait for each other in a circle that depends on their speed. docs/timing.md has the rule.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

// A frame is Words taken and Steps given in as many iterations as the larger of them. Where that is Steps, the first Lead iterations of a
// call take a word each, and then each one gives a step, while takes are spread evenly. Else each iteration takes a word, a frame's first
// step comes Lead iterations after its first word, and the others as soon as they are ready. No more than the call's frames are taken.
template <int Words, int Steps, int Lead>
class Pace {
 public:
  static constexpr bool IsEven = Steps >= Words;
  static constexpr int Iterations = IsEven ? Steps : Words;
  // A frame's last step may be given before the next frame's first word is taken.
  using Age = ranged<IsEven ? 0 : -Iterations, Lead + 2L * Iterations>;

  explicit Pace(frames_t frames) : to_take_(frames), to_give_(frames) {}
  bool more() const { return to_give_ != 0 || to_take_ != 0; }
  bool takes() const { return to_take_ != 0 && (!IsEven || age_ < Lead || credit_ >= Steps - Words); }
  // ready: whether the words of the present step are there; looked at only where takes are not spread.
  bool gives(bool ready) const { return to_give_ != 0 && (IsEven || step_ == 0 ? age_ >= Lead : ready); }
  // Iterations since the frame of the present step began.
  Age age() const { return age_; }
  void next(bool took, bool gave) {
    DFC_INLINE
    if (gave) credit_ = credit_ >= Steps - Words ? Credit(credit_ - (Steps - Words)) : Credit(credit_ + Words);
    const bool ends = gave && step_ == Steps - 1;
    age_ = ends ? Age(age_ - (Iterations - 1)) : Age(age_ + 1);
    if (gave) step_ = next_of<Steps>(step_);
    if (ends) to_give_--;
    if (took) {
      if (word_ == Words - 1) to_take_--;
      word_ = next_of<Words>(word_);
    }
  }

 private:
  using Credit = ranged<0, long(Steps) + Words>;
  using Step = ranged<0, Steps - 1>;
  using Word = ranged<0, Words - 1>;
  frames_t to_take_, to_give_;
  Age age_ = 0;
  Credit credit_ = 0;
  Step step_ = 0;
  Word word_ = 0;
};

}  // namespace dfc
