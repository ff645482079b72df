// The S3 driver behind a real gateway, against a service in this process that is stricter than S3:
// it refuses whatever is not signed, dated and hashed exactly as it must be.
#include <map>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "common/text.h"
#include "servers/drivers/sigv4.h"
#include "servers/http/http_server.h"
#include "tests/servers/gateway_process.h"

namespace podkit::testing {
namespace {

using drivers::SigV4Authorization;
using drivers::SigV4Key;
using servers::HttpRequest;
using servers::HttpResponse;

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const std::string kEmptyHash = drivers::Sha256Hex("");

std::string SignatureOf(const std::string& authorization) {
  return authorization.substr(authorization.find("Signature=") + 10);
}

// The examples that AWS publishes.
TEST_CASE("Requests are signed as the published examples are", "[s3]") {
  const SigV4Key suite{.access_key = "AKIDEXAMPLE",
                       .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                       .region = "us-east-1",
                       .service = "service"};
  const auto vanilla = [&](std::string_view method) {
    return SigV4Authorization(
        suite,
        {.method = method,
         .path = "/",
         .query = "",
         .headers = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
         .payload_hash = kEmptyHash},
        "20150830T123600Z");
  };
  CHECK(vanilla("GET") ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  CHECK(SignatureOf(vanilla("POST")) ==
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");

  const SigV4Key s3{.access_key = "AKIAIOSFODNN7EXAMPLE",
                    .secret_key = std::string(kSecret),
                    .region = "us-east-1"};
  CHECK(SignatureOf(SigV4Authorization(s3,
                                       {.method = "GET",
                                        .path = "/test.txt",
                                        .query = "",
                                        .headers = {{"host", "examplebucket.s3.amazonaws.com"},
                                                    {"range", "bytes=0-9"},
                                                    {"x-amz-content-sha256", kEmptyHash},
                                                    {"x-amz-date", "20130524T000000Z"}},
                                        .payload_hash = kEmptyHash},
                                       "20130524T000000Z")) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  const std::string hash = drivers::Sha256Hex("Welcome to Amazon S3.");
  CHECK(SignatureOf(SigV4Authorization(s3,
                                       {.method = "PUT",
                                        .path = "/test%24file.text",
                                        .query = "",
                                        .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                                    {"host", "examplebucket.s3.amazonaws.com"},
                                                    {"x-amz-content-sha256", hash},
                                                    {"x-amz-date", "20130524T000000Z"},
                                                    {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                                        .payload_hash = hash},
                                       "20130524T000000Z")) ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

HttpResponse Refuse(int status, std::string_view code) {
  return HttpResponse::Text(
      status, fmt::format("<Error><Code>{}</Code><Message>no</Message></Error>", code));
}

// A bucket called "chunks".
class StrictS3 {
 public:
  StrictS3() {
    servers::Router router;
    const auto handler = [this](const HttpRequest& request) { return Answer(request); };
    for (const char* method : {"GET", "PUT", "DELETE", "POST"}) {
      REQUIRE(router.Add(method, "/{path...}", handler,
                         {servers::HandlerThread::kPool, 64 << 20}) == absl::OkStatus());
    }
    server_ = ValueOf(servers::HttpServer::Start({}, std::move(router)));
  }

  std::string endpoint() const { return fmt::format("http://127.0.0.1:{}", server_->port()); }
  // The next requests are answered so, one each.
  void Fail(std::vector<std::pair<int, std::string>> answers) {
    const MutexLock lock(&mutex_);
    failures_ = std::move(answers);
  }
  std::map<std::string, std::string> Objects() {
    const MutexLock lock(&mutex_);
    return objects_;
  }
  void Damage(const std::string& path) {
    const MutexLock lock(&mutex_);
    objects_.at(path) += "!";
  }
  int requests() {
    const MutexLock lock(&mutex_);
    return requests_;
  }
  uint64_t connections() const { return server_->counters().connections_accepted; }

 private:
  HttpResponse Answer(const HttpRequest& request) {
    const MutexLock lock(&mutex_);
    ++requests_;
    if (!failures_.empty()) {
      const auto [status, code] = failures_.front();
      failures_.erase(failures_.begin());
      return Refuse(status, code);
    }
    const std::string problem = Problem(request);
    if (!problem.empty()) return Refuse(403, problem);
    const std::string path(request.path());
    if (!path.starts_with("/chunks/")) return Refuse(404, "NoSuchBucket");
    if (request.method == "PUT") objects_[path] = request.body;
    if (request.method == "DELETE") {
      objects_.erase(path);
      return {.status = 204, .headers = {}, .body = {}};
    }
    const auto object = objects_.find(path);
    if (object == objects_.end()) return Refuse(404, "NoSuchKey");
    return HttpResponse::Text(200, request.method == "GET" ? object->second : "");
  }

  // What S3 would not take of the request, or what it would but should not be sent.
  static std::string Problem(const HttpRequest& request) {
    const auto header = [&](std::string_view name) {
      return std::string(request.headers.Find(name).value_or(""));
    };
    const std::string time = header("x-amz-date");
    absl::Time sent;
    if (!absl::ParseTime("%E4Y%m%dT%H%M%SZ", time, &sent, nullptr) ||
        absl::AbsDuration(absl::Now() - sent) > absl::Minutes(1)) {
      return "RequestTimeTooSkewed";
    }
    const std::string hash = header("x-amz-content-sha256");
    if (hash != drivers::Sha256Hex(request.body)) return "XAmzContentSHA256Mismatch";
    if (request.method == "PUT" && header("content-length").empty()) return "MissingContentLength";
    if (!header("expect").empty() || !header("content-type").empty()) return "Superfluous";
    const std::string expected = SigV4Authorization(
        {.access_key = "AKID", .secret_key = std::string(kSecret), .region = "eu-west-1"},
        {.method = request.method,
         .path = request.path(),
         .query = "",
         .headers = {{"host", header("host")},
                     {"x-amz-content-sha256", hash},
                     {"x-amz-date", time}},
         .payload_hash = hash},
        time);
    return header("authorization") == expected ? "" : "SignatureDoesNotMatch";
  }

  Mutex mutex_;
  std::map<std::string, std::string> objects_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<int, std::string>> failures_ ABSL_GUARDED_BY(mutex_);
  int requests_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<servers::HttpServer> server_;
};

// A gateway without a cache in front of it.
std::unique_ptr<GatewayProcess> GatewayOn(const StrictS3& s3, std::string_view secret = kSecret) {
  auto gateway = std::make_unique<GatewayProcess>(std::vector<std::string>{
      "--cache-bytes", "0", "--driver-check-seconds", "3600", "--driver-timeout-seconds", "20"});
  std::ofstream(gateway->File("s3.json"))
      << fmt::format(R"({{"access_key": "AKID", "secret_key": "{}"}})", secret);
  REQUIRE(chmod(gateway->File("s3.json").c_str(), 0600) == 0);
  std::ofstream(gateway->File("driver.json")) << fmt::format(
      R"({{"storage": {{"driver": "s3", "network": true, "secrets_file": "s3.json",
          "config": {{"endpoint": "{}", "region": "eu-west-1", "bucket": "chunks",
                      "prefix": "p/"}}}}}})",
      s3.endpoint());
  gateway->AddFlags({"--driver-file", gateway->File("driver.json")});
  gateway->Restart();
  return gateway;
}

TEST_CASE("Chunks are kept in a bucket, over few connections", "[e2e][s3]") {
  StrictS3 s3;
  const auto gateway = GatewayOn(s3);
  const auto client = gateway->Client();
  const std::string large(5 << 20, 'L');
  CHECK(PutOne(client.get(), 1, "bytes") == "stored");
  CHECK(PutOne(client.get(), 2, "") == "stored");
  CHECK(PutOne(client.get(), 3, large) == "stored");
  CHECK(s3.Objects().at("/chunks/p/v/f.0/b1.0") == "bytes");
  CHECK(GetOne(client.get(), 1, "bytes") == "bytes");
  CHECK(GetOne(client.get(), 2, "").empty());
  CHECK((GetOne(client.get(), 3, large) == large));
  CHECK(DeleteOne(client.get(), 1) == "deleted");
  CHECK(DeleteOne(client.get(), 1) == "deleted");
  CHECK(s3.Objects().size() == 2);
  CHECK(s3.connections() <= 4);  // One of each worker: read, write, delete; one to check.
}

TEST_CASE("What S3 refuses for the moment is tried again, and what it refuses for good is told",
          "[e2e][s3]") {
  StrictS3 s3;
  const auto gateway = GatewayOn(s3);
  const auto client = gateway->Client();
  s3.Fail({{503, "SlowDown"}, {500, "InternalError"}});
  CHECK(PutOne(client.get(), 1, "bytes") == "stored");
  s3.Fail({{503, "SlowDown"}, {500, "InternalError"}});
  CHECK(GetOne(client.get(), 1, "bytes") == "bytes");
  s3.Fail({{503, "SlowDown"}, {503, "SlowDown"}, {503, "SlowDown"}});
  CHECK(PutOne(client.get(), 2, "bytes") == "DriverRefused");
  s3.Fail({{403, "QuotaExceeded"}});
  const auto full = client->Put({{ChunkOf(3), "x"}}, {}, Soon());
  CHECK(full.status.code() == absl::StatusCode::kResourceExhausted);
  s3.Fail({{404, "NoSuchBucket"}});
  CHECK(GetOne(client.get(), 1, "bytes") == "Failed");
  s3.Damage("/chunks/p/v/f.0/b1.0");
  CHECK(GetOne(client.get(), 1, "bytes") == "Failed");
}

TEST_CASE("A wrong secret is refused by S3, shown by /readyz, and not shown in the log",
          "[e2e][s3]") {
  StrictS3 s3;
  const auto gateway = GatewayOn(s3, "the-wrong-secret-of-somebody");
  const auto ready = gateway->Http("GET", "/readyz");
  CHECK(ready.status == 503);
  CHECK_THAT(ready.body, Catch::Contains("errno 13"));
  CHECK(PutOne(gateway->Client().get(), 1, "bytes") == "DriverRefused");
  gateway->process().WaitForErr("SignatureDoesNotMatch");
  CHECK_THAT(gateway->process().Err(), !Catch::Contains("the-wrong-secret"));
}

}  // namespace
}  // namespace podkit::testing
