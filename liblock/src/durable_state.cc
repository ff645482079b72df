#include "durable_state.h"

#include <algorithm>

namespace podkit::lock {
namespace {

struct Applier {
  DurableState& state;

  void operator()(const SessionRow& row) const { state.sessions[row.id] = row; }
  void operator()(const SessionGone& gone) const { state.sessions.erase(gone.id); }
  void operator()(const StoreRow& row) const { state.stores[row.store] = row; }
  void operator()(const StoreGone& gone) const { state.stores.erase(gone.store); }
  void operator()(const AuditEntry& entry) const { state.audit_entries = entry.number; }
};

}  // namespace

void ApplyChanges(const Changes& changes, DurableState& state) {
  state.revision = std::max(state.revision, changes.revision);
  for (const Change& change : changes.list) std::visit(Applier{state}, change);
}

}  // namespace podkit::lock
