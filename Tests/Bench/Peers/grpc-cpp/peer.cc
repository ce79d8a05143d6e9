// C++ gRPC: synchronous server, synchronous client with one thread per call in flight, one warm channel, plain bytes.
//   grpc-cpp-peer serve SOCKET
//   grpc-cpp-peer call SOCKET --size N --count N --in-flight N [--warmup N]
//   grpc-cpp-peer stream SOCKET --size N --count N [--warmup N]
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/support/sync_stream.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr char kUnary[] = "/bench.Echo/Unary";
constexpr char kStream[] = "/bench.Echo/Stream";

struct Options {
    std::string verb, target;
    long size = 1024, count = 20000, warmup = -1, in_flight = 1;
};

[[noreturn]] void fail(const std::string& what) {
    fprintf(stderr, "grpc-cpp-peer: %s\n", what.c_str());
    exit(1);
}

uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return uint64_t(time.tv_sec) * 1000000000u + time.tv_nsec;
}

grpc::ByteBuffer bytes(const std::string& text) {
    grpc::Slice slice(text);
    return grpc::ByteBuffer(&slice, 1);
}

std::string text(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    buffer.Dump(&slices);
    std::string all;
    for (const auto& slice : slices) all.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    return all;
}

class Echo final : public grpc::Service {
public:
    Echo() {
        AddMethod(new grpc::internal::RpcServiceMethod(
            kUnary, grpc::internal::RpcMethod::NORMAL_RPC,
            new grpc::internal::RpcMethodHandler<Echo, grpc::ByteBuffer, grpc::ByteBuffer>(
                [](Echo*, grpc::ServerContext*, const grpc::ByteBuffer* request, grpc::ByteBuffer* reply) {
                    *reply = *request;
                    return grpc::Status::OK;
                },
                this)));
        // The request is the number of messages, eight bytes little-endian, and one message to repeat.
        AddMethod(new grpc::internal::RpcServiceMethod(
            kStream, grpc::internal::RpcMethod::SERVER_STREAMING,
            new grpc::internal::ServerStreamingHandler<Echo, grpc::ByteBuffer, grpc::ByteBuffer>(
                [](Echo*, grpc::ServerContext*, const grpc::ByteBuffer* request, grpc::ServerWriter<grpc::ByteBuffer>* writer) {
                    std::string all = text(*request);
                    uint64_t count = 0;
                    memcpy(&count, all.data(), sizeof count);
                    grpc::ByteBuffer message = bytes(all.substr(sizeof count));
                    for (uint64_t i = 0; i < count; i++)
                        if (!writer->Write(message)) return grpc::Status::CANCELLED;
                    return grpc::Status::OK;
                },
                this)));
    }
};

int serve(const Options& options) {
    Echo echo;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options.target, grpc::InsecureServerCredentials());
    builder.RegisterService(&echo);
    auto server = builder.BuildAndStart();
    if (!server) fail("cannot listen on " + options.target);
    puts("ready");
    fflush(stdout);
    server->Wait();
    return 0;
}

std::vector<uint64_t> calls(grpc::ChannelInterface* channel, const Options& options, long count) {
    grpc::internal::RpcMethod method(kUnary, grpc::internal::RpcMethod::NORMAL_RPC);
    grpc::ByteBuffer request = bytes(std::string(options.size, 7));
    std::vector<uint64_t> took;
    took.reserve(count);
    for (long i = 0; i < count; i++) {
        uint64_t start = now();
        grpc::ClientContext context;
        grpc::ByteBuffer reply;
        auto status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(channel, method, &context, request, &reply);
        if (!status.ok()) fail(status.error_message());
        if (reply.Length() != size_t(options.size)) fail("the reply has another length");
        took.push_back(now() - start);
    }
    return took;
}

std::vector<uint64_t> closed_loop(grpc::ChannelInterface* channel, const Options& options, long count) {
    if (options.in_flight == 1) return calls(channel, options, count);
    std::vector<std::vector<uint64_t>> parts(options.in_flight);
    std::vector<std::thread> threads;
    for (auto& part : parts)
        threads.emplace_back([&] { part = calls(channel, options, count / options.in_flight); });
    for (auto& thread : threads) thread.join();
    std::vector<uint64_t> all;
    for (auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

void receive(const std::shared_ptr<grpc::Channel>& channel, const Options& options, uint64_t count) {
    std::string head(reinterpret_cast<const char*>(&count), sizeof count);
    grpc::ByteBuffer request = bytes(head + std::string(options.size, 7)), message;
    grpc::internal::RpcMethod method(kStream, grpc::internal::RpcMethod::SERVER_STREAMING, channel);
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader(
        grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(channel.get(), method, &context, request));
    uint64_t got = 0;
    while (reader->Read(&message)) got += message.Length() == size_t(options.size);
    auto status = reader->Finish();
    if (!status.ok()) fail(status.error_message());
    if (got != count) fail("not all messages arrived");
}

double cpu(const rusage& u) {
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

int call(const Options& options) {
    auto channel = grpc::CreateChannel(options.target, grpc::InsecureChannelCredentials());
    bool streams = options.verb == "stream";
    long warmup = options.warmup < 0 ? std::max(options.in_flight, options.count / 10) : options.warmup;
    std::vector<uint64_t> took;
    if (streams) receive(channel, options, warmup); else closed_loop(channel.get(), options, warmup);
    rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    uint64_t began = now();
    if (streams) receive(channel, options, options.count); else took = closed_loop(channel.get(), options, options.count);
    double seconds = (now() - began) / 1e9;
    getrusage(RUSAGE_SELF, &after);
    std::sort(took.begin(), took.end());
    auto at = [&](double share) { return took[std::min(took.size() - 1, size_t(took.size() * share))] / 1e3; };
    printf("{");
    if (!streams) printf("\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,", at(0.5), at(0.99), at(0.999));
    printf("\"count\":%ld,\"seconds\":%f,\"cpu_us\":%.0f,\"switches\":%ld}\n", streams ? options.count : long(took.size()), seconds,
           cpu(after) - cpu(before), after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw);
    return 0;
}

}  // namespace

int main(int arguments, char** words) {
    if (arguments < 3) fail("usage: grpc-cpp-peer serve|call|stream SOCKET [--size N] [--count N] [--in-flight N] [--warmup N]");
    Options options;
    options.verb = words[1];
    options.target = std::string("unix:") + words[2];
    for (int i = 3; i + 1 < arguments; i += 2) {
        std::string name = words[i];
        long value = atol(words[i + 1]);
        if (name == "--size") options.size = value;
        else if (name == "--count") options.count = value;
        else if (name == "--in-flight") options.in_flight = value;
        else if (name == "--warmup") options.warmup = value;
        else fail("unknown option " + name);
    }
    return options.verb == "serve" ? serve(options) : call(options);
}
