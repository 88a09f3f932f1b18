-- For wrk: each thread is a visitor with a cookie of its own, as the arguments give them,
-- or, without arguments, a new visitor with each request.
local threads = 0

function setup(thread)
   threads = threads + 1
   thread:set("number", threads)
end

function init(cookies)
   wrk.headers["Cookie"] = cookies[number]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "microseconds": %d, "errors": %d, "p50": %d, "p99": %d}\n',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99)
   ))
end
