// Identifiers that mean the same on every pod.
#pragma once

#include <string>

namespace podkit::store {

// A new random UUID (version 4), lower case.
std::string NewId();

}  // namespace podkit::store
