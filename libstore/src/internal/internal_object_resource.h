// An object whose owner lives on this pod: answers from the owner's file.
#pragma once

#include <memory>

#include "internal/collection_access.h"
#include "podkit/store/object_resource.h"

namespace podkit::store {

std::unique_ptr<ObjectResource> MakeInternalObjectResource(CollectionAccess collection,
                                                           ObjectInfo info);

}  // namespace podkit::store
