// What some calls cost others: fast ones beside slow ones on one link, and writes with keys.
#pragma once

namespace podkit::bench {

// Prints its figures and ratios under "conduit/". `quick`: for a test that it runs at all.
void RunMixedBench(bool quick);

}  // namespace podkit::bench
