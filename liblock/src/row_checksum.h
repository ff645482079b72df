// Finds a row that changed on the disk by itself. Not against people: they can compute it as well.
//
// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv), over the fields in the order of the
// table: numbers as 8 bytes, the lowest first; texts as their length, which is a number, and bytes.
#pragma once

#include <cstdint>

#include "durable_state.h"

namespace podkit::lock {

int64_t ChecksumOf(Revision revision);
int64_t ChecksumOf(const SessionRow& row);
int64_t ChecksumOf(const StoreRow& row);

}  // namespace podkit::lock
