// What a calendar front end asks of a collection of 10,000 events, in one's own and through a share
// whose owner lives on another pod, and how many calls of pods each question costs.
#pragma once

namespace podkit::bench {

// Prints its figures and ratios under "store/". `quick`: for a test that it runs at all.
void RunQueryBench(bool quick);

}  // namespace podkit::bench
