// A collection whose owner lives on this pod: answers from the owner's file.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "answers/answer_keeper.h"
#include "internal/rights.h"
#include "podkit/store/home_child.h"
#include "podkit/store/store.h"
#include "sqlite/user_store.h"

namespace podkit::store {

// `info` says how the collection shows to `actor`. `options` must outlive the child. `keeper` goes
// with the one call for which the child is made.
std::unique_ptr<HomeChild> MakeInternalHomeChild(std::shared_ptr<UserStore> owner_store,
                                                 CollectionInfo info, Actor actor,
                                                 const StoreOptions& options,
                                                 AnswerKeeper keeper = {});

}  // namespace podkit::store
