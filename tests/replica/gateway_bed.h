// A gateway with real worker processes, one writer, and how requests to it are made.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "podkit/replica/gateway.h"
#include "tests/replica/driver_bed.h"

namespace podkit::replica {

struct GatewayBed {
  DriverBed storage;
  testing::TempDir folder;
  SigningKey writer_key = SigningKey::Generate();
  SigningKey gateway_key = SigningKey::Generate();
  GatewayOptions options = {.id = "g1", .folder = folder.path(), .key = gateway_key};
  std::map<std::string, uint64_t, std::less<>> quotas;
  std::shared_ptr<ChunkDriver> driver;
  std::unique_ptr<Gateway> gateway;
  int next_nonce = 0;

  explicit GatewayBed(const std::string& driver_path = PODKIT_FAULTY_DRIVER)
      : driver(storage.Start(driver_path)) {
    Open();
  }

  void Open() {
    gateway.reset();
    gateway = testing::ValueOf(Gateway::Open(options, driver, WritersOf()));
  }
  std::shared_ptr<const Writers> WritersOf() const {
    const auto all = [](std::string volume) {
      return Grant{std::move(volume), true, true, true, true};
    };
    return testing::ValueOf(Writers::Create(
        {{.id = "ann", .keys = {writer_key.public_key()}, .grants = {all("v"), all("secret")}}},
        {"secret"}, quotas));
  }

  static ChunkName Name(uint64_t id, std::string volume = "v") {
    return {.volume = std::move(volume), .file = "f", .id = id};
  }
  ControlMessage Message(Operation operation) {
    return {.operation = operation,
            .gateway = "g1",
            .volume = "v",
            .sent = absl::Now(),
            .nonce = std::to_string(next_nonce++),
            .path = "/p"};
  }
  static void Add(ControlMessage* message, uint64_t id, std::string_view bytes) {
    message->chunks.push_back({.name = Name(id, message->volume),
                               .hash = HashOf(bytes),
                               .has_hash = true,
                               .size = bytes.size(),
                               .offset = 8,
                               .length = bytes.size()});
  }

  std::string Sign(const ControlMessage& message) const {
    return writer_key.SignText(SignedFor::kRequest, "ann", EncodeControl(message));
  }
  static std::string Body(std::string_view control, std::optional<std::string_view> data) {
    const auto part = [](std::string_view name, std::string_view bytes) {
      return "--bb\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
             std::string(bytes) + "\r\n";
    };
    return part("control-plane", control) + (data ? part("data-plane", *data) : "") + "--bb--\r\n";
  }
  GatewayReply PostBody(std::string_view body, std::string_view accept = "",
                        size_t piece = 100'000) const {
    const auto exchange = gateway->Begin(
        {"POST",
         "/",
         {{"Content-Type", "multipart/form-data; boundary=bb"}, {"Accept", std::string(accept)}}});
    while (!body.empty() && exchange->Receive(body.substr(0, piece))) {
      body.remove_prefix(std::min(piece, body.size()));
    }
    return exchange->Finish();
  }
  GatewayReply Post(const ControlMessage& message, std::optional<std::string_view> data = {},
                    std::string_view accept = "") const {
    return PostBody(Body(Sign(message), data), accept);
  }
  GatewayReply Put(uint64_t id, std::string_view bytes) {
    ControlMessage message = Message(Operation::kPut);
    Add(&message, id, bytes);
    return Post(message, bytes);
  }
  GatewayReply Delete(uint64_t id, std::string_view accept = "") {
    ControlMessage message = Message(Operation::kDelete);
    message.chunks.push_back({.name = Name(id)});
    return Post(message, {}, accept);
  }
  // What the signed reply says; the test ends if the signature is not the gateway's.
  ControlReply ReplyOf(const GatewayReply& reply) const {
    const auto text = SignedText::Split(reply.body);
    REQUIRE(text.has_value());
    REQUIRE(text->signer == "g1");
    REQUIRE(Verify(gateway_key.public_key(), SignedFor::kReply, text->bytes, text->signature));
    return testing::ValueOf(ParseReply(text->bytes));
  }
  std::string Outcomes(const GatewayReply& reply) const {
    std::string words;
    for (const ChunkResult& result : ReplyOf(reply).results) {
      words.append(words.empty() ? "" : " ").append(NameOf(result.outcome));
    }
    return words;
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  GatewayReply Get(uint64_t id, Headers headers = {}, std::string method = "GET") const {
    return gateway->Begin({std::move(method), ChunkPath(Name(id)), std::move(headers)})->Finish();
  }
  static std::string BytesOf(const GatewayReply& reply) {
    std::string bytes(reply.file.size, '\0');
    if (reply.file.owner == nullptr) return reply.body;
    REQUIRE(pread(reply.file.fd, bytes.data(), bytes.size(),
                  static_cast<off_t>(reply.file.offset)) == static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
  static std::string Header(const GatewayReply& reply, std::string_view name) {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) return value;
    }
    return "";
  }
  // How often the driver was asked to read.
  int Reads() const {
    const std::string calls = storage.Calls();
    int reads = 0;
    for (size_t at = calls.find("read "); at != std::string::npos;
         at = calls.find("read ", at + 1)) {
      ++reads;
    }
    return reads;
  }
};

}  // namespace podkit::replica
