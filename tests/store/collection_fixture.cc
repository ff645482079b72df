#include "collection_fixture.h"

#include <fmt/format.h>

#include <utility>

namespace podkit::store {

using testing::ValueOf;

std::string CollectionFixture::Event(std::string_view uid, std::string_view summary,
                                     std::string_view start, std::string_view end) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20260101T000000Z\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:{}\r\nEND:VEVENT\r\n"
      "END:VCALENDAR\r\n",
      uid, start, end, summary);
}

void CollectionFixture::Reopen() {
  const bool first = store_ == nullptr;
  options_.now = clock_.function();
  store_.reset();
  store_ = ValueOf(UserStore::Open(folder_.File("ann.sqlite"), "ann", clock_.Now()));
  if (!first) return;
  AddCollection("work");
  AddCollection("home");
}

void CollectionFixture::AddCollection(const std::string& id, const std::string& components) {
  Execute(
      fmt::format("INSERT INTO collection (id, components, created_at, modified_at, revision)"
                  " VALUES ('{}', '{}', 0, 0, 0)",
                  id, components));
}

void CollectionFixture::AddShare(const std::string& share_uid, const std::string& collection_id,
                                 const std::string& viewer, const std::string& access,
                                 const std::string& status) {
  Execute(fmt::format(
      "INSERT INTO bind (share_uid, collection_id, owner_uid, viewer_uid, access, status,"
      " generation, summary, display_name, color, description, components, transparent, created_at,"
      " modified_at, revision, own_access)"
      " VALUES ('{}', '{}', 'ann', '{}', '{}', '{}', 1, '', '', '', '', '', 0, 0, 0, 0, '{}')",
      share_uid, collection_id, viewer, access, status, access));
}

void CollectionFixture::Execute(const std::string& sql) {
  REQUIRE(store_->Write([&](Database& database) { return database.ExecuteScript(sql); }) ==
          absl::OkStatus());
}

std::unique_ptr<HomeChild> CollectionFixture::Open(const std::string& id, Actor actor) {
  CollectionInfo info = {.id = id, .owner_uid = "ann", .viewer_uid = actor.uid, .name = id};
  return MakeInternalHomeChild(store_, std::move(info), std::move(actor), options_);
}

}  // namespace podkit::store
