// One pod without a network: Ann gets a calendar with one event, and it is read back.
//
// usage: store_example <folder for the store>
#include <iostream>
#include <memory>
#include <string>

#include "podkit/store/store.h"

namespace store = podkit::store;

constexpr char kLunch[] =
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n"
    "BEGIN:VEVENT\r\nUID:lunch\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T120000Z\r\n"
    "SUMMARY:Lunch\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

// Every step may fail; the first failure ends the function with its status.
absl::Status Run(const std::string& folder) {
  auto users = store::FileUserDirectory::Create({{.uid = "ann", .name = "Ann", .pod = "A"}});
  if (!users.ok()) return users.status();
  auto pod = store::Store::Open({.folder = folder}, *users, /*conduit=*/nullptr, "A");
  if (!pod.ok()) return pod.status();
  auto home = (*pod)->HomeFor("ann", /*actor=*/"ann");
  if (!home.ok()) return home.status();
  auto created = (*home)->CreateChild("work", {.display_name = "Work"});
  if (!created.ok()) return created.status();
  auto calendar = (*home)->ChildWith({.name = "work"});
  if (!calendar.ok()) return calendar.status();
  auto put = (*calendar)->PutObject("lunch.ics", {kLunch}, {});
  if (!put.ok()) return put.status();
  auto objects = (*calendar)->LoadObjects();
  if (!objects.ok()) return objects.status();
  for (const store::ObjectInfo& object : *objects) {
    std::cout << object.name << ": " << object.summary << "\n";
  }
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: store_example <folder for the store>\n";
    return 2;
  }
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
