-- wrk: chat requests of which no two are the same, and one line of JSON at the end.
-- Arguments after "--": model, key, a word that no other run uses.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    model, run = args[1], args[3]
    wrk.method = "POST"
    wrk.path = "/v1/chat/completions"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Authorization"] = "Bearer " .. args[2]
    count = 0
end

function request()
    count = count + 1
    local text = string.format("Question %s %d %09d: which knot holds two ropes of different thickness, and how is it tied "
        .. "so that it can be untied after it has been under load for a long time?", run, number, count)
    return wrk.format(nil, nil, nil, '{"model":"' .. model .. '","messages":[{"role":"user","content":"' .. text .. '"}]}')
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('{"requests":%d,"microseconds":%d,"p50_ms":%.3f,"p99_ms":%.3f,"failed":%d}\n',
        summary.requests, summary.duration, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
