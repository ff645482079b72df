// A put and a get of an event in one's own collection, beside the same through a share whose owner
// lives on another pod.
#pragma once

namespace podkit::bench {

// Prints its figures and ratios under "store/". `quick`: for a test that it runs at all.
void RunShareBench(bool quick);

}  // namespace podkit::bench
