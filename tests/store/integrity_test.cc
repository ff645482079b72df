// What a check of a home finds, and that a sound one has nothing.
#include "internal/integrity.h"

#include <string>
#include <vector>

#include "collection_fixture.h"
#include "common/status_macros.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

class IntegrityFixture : public CollectionFixture {
 public:
  IntegrityFixture() {
    // What the home would have written.
    for (const char* id : {"work", "home"}) AddShare(id, id, "ann", "owner", "accepted");
    AddShare("bobs", "work", "bob", "read-write", "accepted");
    Put(*Open("work"), "1.ics", Event("one"));
    Put(*Open("work"), "2.ics", Event("two"));
    REQUIRE(Open("work")->RemoveObject("2.ics", {}) == absl::OkStatus());
    std::string text = Event("three");
    text.insert(text.find("END:VEVENT"),
                "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n");
    Put(*Open("work"), "3.ics", text);
  }

  std::vector<std::string> Damage() {
    std::vector<std::string> problems;
    REQUIRE(store().Read([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(problems, FindDamage(database));
      return absl::OkStatus();
    }) == absl::OkStatus());
    return problems;
  }
};

}  // namespace

TEST_CASE_METHOD(IntegrityFixture, "A sound file has nothing to complain of",
                 "[store][integrity]") {
  CHECK(Damage().empty());
}

TEST_CASE_METHOD(IntegrityFixture, "Each kind of damage is told by its row", "[store][integrity]") {
  const auto& [sql, problem] = GENERATE(values<std::pair<std::string, std::string>>({
      {"UPDATE object SET text = 'x' WHERE name = '1.ics'", "not the text that its ETag is of"},
      {"UPDATE object SET size = 5 WHERE name = '1.ics'", "not the text that its ETag is of"},
      {"UPDATE object SET shared_etag = etag WHERE name = '3.ics'", "its viewers' ETag"},
      {"UPDATE object SET revision = 99 WHERE name = '1.ics'", "beyond that of its collection"},
      {"UPDATE collection SET revision = 99 WHERE id = 'work'", "beyond that of the home"},
      {"UPDATE bind SET personal_revision = 99 WHERE share_uid = 'bobs'",
       "bind bobs has a revision beyond"},
      {"DELETE FROM bind WHERE share_uid = 'home'", "collection home has no bind"},
      {"DELETE FROM collection WHERE id = 'home'",
       "bind home is for a collection that is not there"},
      {"INSERT INTO object_tombstone VALUES ('work', '1.ics', 1, '')", "tombstone under its name"},
      {"UPDATE object_span SET collection_id = 'home'", "has a span in another"},
      {"INSERT INTO home VALUES ('ann', 0, 0)", "2 rows in home"},
      {"INSERT INTO attachment VALUES ('a', '', 'x/y', 0, '', 0)",
       "attachment a is used by no object"},
      {"INSERT INTO attachment VALUES ('a', '', 'x/y', 5, '', 0);"
       "INSERT INTO attachment_chunk VALUES ('a', 0, 4, 'c')",
       "attachment a has chunks of another size"},
      {"INSERT INTO attachment VALUES ('a', '', 'x/y', 0, '', 0);"
       "INSERT INTO attachment_use SELECT id, 'a' FROM object WHERE name = '1.ics'",
       "uses attachment a, which its text does not have"},
  }));
  INFO(sql);
  Execute(sql);
  const auto problems = Damage();
  REQUIRE_FALSE(problems.empty());
  std::string all;
  for (const std::string& one : problems) all += one + "\n";
  CHECK_THAT(all, Catch::Contains(problem));
}

}  // namespace podkit::store
