// The verbs for the collections of a home.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "podkit/store/types.h"
#include "servers/podctl/command_line.h"

namespace podkit::podctl {
namespace {

using store::CollectionInfo;
using store::CollectionProperties;

constexpr const char* kGroup = "Collections";

const std::vector<Column<CollectionInfo>>& Columns() {
  static const std::vector<Column<CollectionInfo>> columns = {
      {"COLLECTION", &CollectionInfo::name},
      {"OWNER", &CollectionInfo::owner_uid},
      {"ACCESS",
       [](const CollectionInfo& info) { return std::string(conduit::EnumName(info.access)); }},
      {"SHARED", [](const CollectionInfo& info) { return info.shared_by_owner ? "yes" : ""; }},
      {"COMPONENTS",
       [](const CollectionInfo& info) {
         return info.components.empty() ? "all"
                                        : fmt::format("{}", fmt::join(info.components, " "));
       }},
      {"DISPLAY NAME", &CollectionInfo::display_name},
      {"COLOR", &CollectionInfo::color},
      {"MODIFIED", [](const CollectionInfo& info) { return ShortTime(info.modified); }},
  };
  return columns;
}

absl::Status ShowCollections(Session& session) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"collections"}));
  return session.ShowList<CollectionInfo>("collections", {.path = std::move(path)}, Columns());
}

// The properties as options; an option that is not given leaves its property alone.
std::shared_ptr<CollectionProperties> AddProperties(CLI::App* verb) {
  auto properties = std::make_shared<CollectionProperties>();
  verb->add_option("--display-name", properties->display_name, "What people call it")
      ->type_name("WORDS");
  verb->add_option("--color", properties->color, "Like #FF2968FF")->type_name("COLOR");
  verb->add_option("--description", properties->description, "What it is for")->type_name("WORDS");
  return properties;
}

absl::Status Create(Session& session, const std::string& name,
                    const CollectionProperties& properties) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"collections"}));
  const servers::NewCollection collection{.name = name, .properties = properties};
  return session.Show<CollectionInfo>(
      {.method = "POST", .path = std::move(path), .body = conduit::ToJson(collection)},
      [](const CollectionInfo& info) {
        return fmt::format("created '{}' of '{}'\n", info.name, info.owner_uid);
      });
}

absl::Status Change(Session& session, const std::string& name,
                    const servers::CollectionChange& change) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(name, {}));
  return session.Show<CollectionInfo>(
      {.method = "PATCH", .path = std::move(path), .body = conduit::ToJson(change)},
      [](const CollectionInfo& info) { return Session::Table<CollectionInfo>({info}, Columns()); });
}

// The API removes both alike; but who means the one does not mean the other.
enum class Kind { kOwn, kShared };

absl::Status CheckKind(Session& session, const std::string& name, Kind wanted) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(name, {}));
  PODKIT_ASSIGN_OR_RETURN(const auto info,
                          session.Fetch<CollectionInfo>({.path = std::move(path)}));
  const bool own = info.owner_uid == info.viewer_uid;
  if (own == (wanted == Kind::kOwn)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      own ? fmt::format("'{}' is an own collection, which is not left: 'podctl delete-collection' "
                        "deletes it with all its objects",
                        name)
          : fmt::format("'{}' belongs to '{}', who shares it: 'podctl leave' takes it out of this "
                        "home",
                        name, info.owner_uid));
}

absl::Status Remove(Session& session, const std::string& name, Kind kind) {
  PODKIT_RETURN_IF_ERROR(CheckKind(session, name, kind));
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(name, {}));
  return session.Do({.method = "DELETE", .path = std::move(path)},
                    fmt::format("{} '{}'", kind == Kind::kOwn ? "deleted" : "left", name));
}

// Of a collection, or of the home if none is named.
absl::StatusOr<std::vector<std::string>> TokenPath(Session& session, const std::string& collection,
                                                   const std::string& what) {
  return collection.empty() ? session.HomePath({what}) : session.CollectionPath(collection, {what});
}

absl::Status ShowToken(Session& session, const std::string& collection) {
  PODKIT_ASSIGN_OR_RETURN(auto path, TokenPath(session, collection, "token"));
  PODKIT_ASSIGN_OR_RETURN(std::string body, session.Call({.path = std::move(path)}));
  if (session.json()) {
    session.Print(body + '\n');
    return absl::OkStatus();
  }
  PODKIT_ASSIGN_OR_RETURN(const auto token,
                          servers::FromJsonMember<std::string>("sync_token", std::move(body)));
  session.Print(token + '\n');
  return absl::OkStatus();
}

std::string ChangeLine(std::string_view what, const std::string& name) {
  return fmt::format("{:<8} {}\n", what, Printable(name));
}

absl::Status ShowTokens(Session& session) {
  using store::CollectionToken;
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"tokens"}));
  return session.ShowList<CollectionToken>("tokens", {.path = std::move(path)},
                                           {{"NAME", &CollectionToken::name},
                                            {"TOKEN", &CollectionToken::sync_token},
                                            {"ERROR", &CollectionToken::error}});
}

absl::Status ShowChanges(Session& session, const std::string& collection,
                         const std::string& since) {
  PODKIT_ASSIGN_OR_RETURN(auto path, TokenPath(session, collection, "changes"));
  ApiRequest request{.path = std::move(path), .query = {{"since", since}}};
  if (collection.empty()) {
    request.query.emplace_back("depth", "infinity");
    return session.Show<store::HomeChanges>(std::move(request), [](const auto& changes) {
      std::string text;
      for (const std::string& name : changes.changed) text += ChangeLine("changed", name);
      for (const std::string& name : changes.deleted) text += ChangeLine("deleted", name);
      for (const std::string& name : changes.invalid) text += ChangeLine("ask", name);
      return text + ChangeLine("token", changes.sync_token);
    });
  }
  return session.Show<store::Changes>(std::move(request), [](const auto& changes) {
    std::string text;
    for (const auto& object : changes.changed) text += ChangeLine("changed", object.name);
    for (const std::string& name : changes.deleted) text += ChangeLine("deleted", name);
    return text + ChangeLine("token", changes.sync_token);
  });
}

void AddSyncVerbs(CommandLine* line) {
  struct Options {
    std::string collection, since;
  };
  auto options = std::make_shared<Options>();
  line->Add({.name = "token",
             .group = kGroup,
             .description = "The sync token of a collection, or of the home: a text that differs "
                            "after every change",
             .examples = "podctl --as anna token work\npodctl --as anna token"},
            [options](Session& session) { return ShowToken(session, options->collection); })
      ->add_option("COLLECTION", options->collection, "Name of the collection [the whole home]");
  line->Add({.name = "tokens",
             .group = kGroup,
             .description = "The sync tokens of all collections of a home, also those of others",
             .examples = "podctl --as anna tokens"},
            ShowTokens);
  CLI::App* const changes = line->Add(
      {.name = "changes",
       .group = kGroup,
       .description = "What changed since a sync token, in a collection or in the home",
       .details = "Ends with the token for the next question. Without --since everything is\n"
                  "listed. Of the home, 'ask' names shared collections: they have tokens of\n"
                  "their own.",
       .examples = "podctl --as anna changes work\npodctl --as anna changes work --since TOKEN"},
      [options](Session& session) {
        return ShowChanges(session, options->collection, options->since);
      });
  changes->add_option("COLLECTION", options->collection, "Name of the collection [the whole home]");
  changes->add_option("--since", options->since, "What an earlier 'token' or 'changes' said")
      ->type_name("TOKEN");
}

void AddCreate(CommandLine* line) {
  struct Options {
    std::string name;
    std::vector<std::string> components;
    std::shared_ptr<CollectionProperties> properties;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const verb = line->Add(
      {.name = "create",
       .group = kGroup,
       .description = "Make a collection",
       .examples = "podctl --as anna create work\n"
                   "podctl --as anna create tasks --display-name 'To do' --component VTODO"},
      [options](Session& session) {
        if (!options->components.empty()) {
          options->properties->components = options->components;
        }
        return Create(session, options->name, *options->properties);
      });
  verb->add_option("NAME", options->name, "Name of the new collection")->required();
  options->properties = AddProperties(verb);
  verb->add_option("--component", options->components,
                   "Take only this: VEVENT, VTODO or VJOURNAL; may be repeated [all]")
      ->type_name("TYPE")
      ->transform(CLI::IsMember(kComponentTypes, CLI::ignore_case).description(""))
      ->allow_extra_args(false);
}

void AddChangeVerbs(CommandLine* line) {
  struct Options {
    std::string name, new_name;
    std::shared_ptr<CollectionProperties> properties;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const set = line->Add(
      {.name = "set",
       .group = kGroup,
       .description = "Change what a collection is called, its color or its description",
       .details = "Of a shared collection, the viewer sets his own name and color for it.",
       .examples = "podctl --as anna set work --display-name Work --color '#1D9BF6FF'"},
      [options](Session& session) {
        return Change(session, options->name, {.name = {}, .properties = *options->properties});
      });
  set->add_option("COLLECTION", options->name, "Name of the collection")->required();
  options->properties = AddProperties(set);
  CLI::App* const rename = line->Add({.name = "rename",
                                      .group = kGroup,
                                      .description = "Give a collection another name in this home",
                                      .examples = "podctl --as anna rename work office"},
                                     [options](Session& session) {
                                       return Change(session, options->name,
                                                     {.name = options->new_name, .properties = {}});
                                     });
  rename->add_option("COLLECTION", options->name, "Name of the collection")->required();
  rename->add_option("NAME", options->new_name, "The new name")->required();
}

void AddRemoveVerbs(CommandLine* line) {
  auto name = std::make_shared<std::string>();
  line->Add({.name = "delete-collection",
             .group = kGroup,
             .description = "Delete an own collection with all its objects",
             .details = "It is taken back from everybody it was shared with.",
             .examples = "podctl --as anna delete-collection work"},
            [name](Session& session) { return Remove(session, *name, Kind::kOwn); })
      ->add_option("COLLECTION", *name, "Name of the collection")
      ->required();
  line->Add({.name = "leave",
             .group = "Sharing",
             .description = "Leave a collection that another user shares",
             .examples = "podctl --as emma leave work"},
            [name](Session& session) { return Remove(session, *name, Kind::kShared); })
      ->add_option("COLLECTION", *name, "Its name in the viewer's home")
      ->required();
}

}  // namespace

void AddCollectionVerbs(CommandLine* line) {
  line->Add({.name = "collections",
             .group = kGroup,
             .description = "The collections of a home: its own, and those shared with it",
             .examples = "podctl --as anna collections\npodctl --pod B --as anna collections"},
            ShowCollections);
  AddCreate(line);
  AddChangeVerbs(line);
  AddRemoveVerbs(line);
  AddSyncVerbs(line);
}

}  // namespace podkit::podctl
