// What many homes cost a pod: memory for each that is open, and the time of a start.
#pragma once

namespace podkit::bench {

// Prints its figures under "store/". `quick`: for a test that it runs at all.
void RunScaleBench(bool quick);

}  // namespace podkit::bench
