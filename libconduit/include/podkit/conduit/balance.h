// Which host of a pod a call goes to.
#pragma once

namespace podkit::conduit {

enum class Balance {
  kLeastLoaded,  // Of two at random, the one that answers sooner and has less to do.
  kRandom,       // Any, each as often as the others.
  kByKey,        // The same one for the same key, as long as it is there: for what a host caches.
};

}  // namespace podkit::conduit
