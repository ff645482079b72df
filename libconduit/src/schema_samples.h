// Values made up from a schema, to try what reads them.
#pragma once

#include <cstddef>
#include <string>

#include "podkit/conduit/schema.h"

namespace podkit::conduit::internal {

// How many variations of a command's values it takes to send every name of every enumeration and
// every case of every variant; from 4 to 16.
size_t SampleCount(const CommandSchema& schema);

// A value of `type` as JSON. Variation 0 leaves out what may be left out; the others have
// everything and differ in the values.
std::string SampleValue(const TypeSchema& type, size_t variation);

// The members of a call besides its head, as an object.
std::string SampleCall(const CommandSchema& schema, size_t variation);

}  // namespace podkit::conduit::internal
