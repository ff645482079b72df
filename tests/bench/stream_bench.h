// Uploads and downloads beside a bare socket that carries the same bytes.
#pragma once

namespace podkit::bench {

// Prints its figures and ratios under "conduit/". `quick`: for a test that it runs at all.
void RunStreamBench(bool quick);

}  // namespace podkit::bench
