#include "servers/http/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::servers {

// One segment deep in the tree of patterns.
struct Router::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> param;
  std::unique_ptr<Node> rest;                  // Whatever follows.
  std::vector<std::unique_ptr<Route>> routes;  // Of the patterns that end here, one a method.
};

// Walks the tree along the segments of one path until a node has the method.
struct Router::Search {
  std::string_view method;
  std::vector<std::string_view> segments;
  std::vector<std::string> values;   // Of the {name} segments so far.
  std::vector<std::string> allowed;  // Methods of other routes for this path.

  const Route* Visit(const Node& node, size_t depth);
  const Route* RouteOf(const Node& node);
};

namespace {

const Route* FindMethod(const std::vector<std::unique_ptr<Route>>& routes,
                        std::string_view method) {
  for (const auto& route : routes) {
    if (route->method == method) return route.get();
  }
  return nullptr;
}

constexpr std::string_view kRest = "...";

// The name in "{name}" or "{name...}", dots included; "" for a literal segment.
absl::StatusOr<std::string_view> ParamName(std::string_view segment, std::string_view pattern) {
  const bool braces = segment.find_first_of("{}") != std::string_view::npos;
  if (!braces) return std::string_view();
  if (segment.size() > 2 && segment.front() == '{' && segment.back() == '}') {
    const std::string_view name = segment.substr(1, segment.size() - 2);
    if (name.find_first_of("{}") == std::string_view::npos && name != kRest) return name;
  }
  return absl::InvalidArgumentError(
      fmt::format("route '{}': '{}' is neither text nor {{name}}", pattern, segment));
}

}  // namespace

const Route* Router::Search::RouteOf(const Node& node) {
  const Route* route = FindMethod(node.routes, method);
  if (route == nullptr && method == "HEAD") {
    route = FindMethod(node.routes, "GET");
    if (route != nullptr && !route->protocol.empty()) route = nullptr;
  }
  if (route != nullptr) return route;
  for (const auto& other : node.routes) {
    allowed.push_back(other->method);
    if (other->method == "GET" && other->protocol.empty()) allowed.emplace_back("HEAD");
  }
  return nullptr;
}

const Route* Router::Search::Visit(const Node& node, size_t depth) {
  if (depth == segments.size()) return RouteOf(node);
  std::string segment = PercentDecode(segments[depth]);
  for (const auto& [literal, child] : node.literals) {
    if (literal != segment) continue;
    if (const Route* route = Visit(*child, depth + 1)) return route;
  }
  if (node.param != nullptr && !segment.empty()) {
    values.push_back(std::move(segment));
    if (const Route* route = Visit(*node.param, depth + 1)) return route;
    values.pop_back();
  }
  if (node.rest == nullptr) return nullptr;
  const Route* const route = RouteOf(*node.rest);
  if (route != nullptr) {
    const auto first = segments.begin() + static_cast<std::ptrdiff_t>(depth);
    values.push_back(PercentDecode(fmt::format("{}", fmt::join(first, segments.end(), "/"))));
  }
  return route;
}

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

absl::Status Router::Add(std::string_view method, std::string_view pattern, HttpHandler handler,
                         RouteOptions options) {
  auto route = std::make_unique<Route>();
  route->method = method;
  route->pattern = pattern;
  route->handler = std::move(handler);
  route->options = options;
  return AddRoute(std::move(route));
}

absl::Status Router::AddStreamed(std::string_view method, std::string_view pattern,
                                 BodyHandler handler, size_t max_body_bytes) {
  auto route = std::make_unique<Route>();
  route->method = method;
  route->pattern = pattern;
  route->body_handler = std::move(handler);
  route->options.max_body_bytes = max_body_bytes;
  return AddRoute(std::move(route));
}

absl::Status Router::AddUpgrade(std::string_view pattern, std::string_view protocol,
                                HttpHandler handler, UpgradeOptions options) {
  auto route = std::make_unique<Route>();
  route->method = "GET";
  route->pattern = pattern;
  route->protocol = protocol;
  route->handler = std::move(handler);
  route->options.thread = options.thread;
  PODKIT_RETURN_IF_ERROR(AddRoute(std::move(route)));
  if (options.stopping) stopping_.push_back(std::move(options.stopping));
  return absl::OkStatus();
}

absl::Status Router::AddRoute(std::unique_ptr<Route> route) {
  const std::string_view pattern = route->pattern;
  if (!pattern.starts_with('/')) {
    return absl::InvalidArgumentError(
        fmt::format("route '{}': a pattern starts with '/'", pattern));
  }
  Node* node = root_.get();
  const Node* rest = nullptr;  // The node of a {name...}, once there is one.
  for (const std::string_view segment : SplitText(pattern.substr(1), '/')) {
    if (node == rest) {
      return absl::InvalidArgumentError(
          fmt::format("route '{}': nothing can follow '...'", pattern));
    }
    PODKIT_ASSIGN_OR_RETURN(std::string_view name, ParamName(segment, pattern));
    const bool all = name.ends_with(kRest);
    if (all) name.remove_suffix(kRest.size());
    std::unique_ptr<Node>* next = all ? &node->rest : &node->param;
    if (name.empty()) {
      auto found = std::find_if(node->literals.begin(), node->literals.end(),
                                [&](const auto& literal) { return literal.first == segment; });
      if (found == node->literals.end()) {
        found = node->literals.emplace(found, std::string(segment), nullptr);
      }
      next = &found->second;
    } else {
      auto& names = route->param_names;
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        return absl::InvalidArgumentError(
            fmt::format("route '{}': {{{}}} stands there twice", pattern, name));
      }
      names.emplace_back(name);
    }
    if (*next == nullptr) *next = std::make_unique<Node>();
    node = next->get();
    if (all) rest = node;
  }
  if (const Route* other = FindMethod(node->routes, route->method)) {
    return absl::AlreadyExistsError(fmt::format("route {} '{}': '{}' already has these paths",
                                                route->method, pattern, other->pattern));
  }
  node->routes.push_back(std::move(route));
  return absl::OkStatus();
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  if (!path.starts_with('/')) return match;
  Search search{method, SplitText(path.substr(1), '/'), {}, {}};
  match.route = search.Visit(*root_, 0);
  if (match.route == nullptr) {
    auto& allowed = search.allowed;
    std::sort(allowed.begin(), allowed.end());
    allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
    match.allow = fmt::format("{}", fmt::join(allowed, ", "));
    return match;
  }
  match.params.reserve(search.values.size());
  for (size_t i = 0; i < search.values.size(); ++i) {
    match.params.emplace_back(match.route->param_names[i], std::move(search.values[i]));
  }
  return match;
}

}  // namespace podkit::servers
