/// The functions Redis runs (Redis 7 or newer). What `LocalLimits` does, in the same order: see `RateMeter` for the arithmetic.
/// Everything of a tenant is in one slot of a cluster, named by its hash tag, so keys may come from a tenant's record too.
enum LimitFunctions {
    static let load = ["FUNCTION", "LOAD", "REPLACE", library]

    /// Keys, all with a time to live: `q` requests and `k` tokens (level, time, excess), `g` likenesses, `p` places (a sorted set
    /// of admissions by the end of their lease), `b` budgets (a hash) with their `o` open reservations (a sorted set), `a` what an
    /// admission holds (MessagePack).
    static let library = """
        #!lua name=bulkhead_v1
        local MINUTE, HOLD = 60000000, 30000000
        -- While a library is loaded nothing but `redis.register_function` is there: these are looked up when they run.
        local function call(...) return redis.call(...) end
        local function floor(x) return math.floor(x) end
        local function ceil(x) return math.ceil(x) end
        local function max(a, b, ...)
          if ... then return math.max(a, b, ...) end
          return a > b and a or b
        end
        local function min(a, b) return a < b and a or b end

        local function present(given)
          if given ~= '' then return tonumber(given) end
          local time = call('TIME')
          return time[1] * 1000000 + time[2]
        end
        local function text(number) return string.format('%.17g', number) end
        local function keep(key, ms)
          ms = ceil(ms)
          if call('PTTL', key) < ms then call('PEXPIRE', key, ms) end
        end

        local function read(key)
          local raw = call('GET', key)
          if not raw then return 0, 0, 1 end
          local spent, at, excess = string.match(raw, '^(%S+) (%S+) (%S+)$')
          return tonumber(spent), tonumber(at), tonumber(excess)
        end
        local function leak(spent, at, most, window, now) return max(0, spent - max(0, now - at) * most / window) end
        local function fits(level, most) return level <= most * 1.000000001 end
        local function write(key, spent, now, excess, most, window, spare)
          local ms = ceil(spent * window / most / 1000) + spare
          call('SET', key, text(spent) .. ' ' .. text(now) .. ' ' .. text(excess), 'PX', ms)
        end

        local function judge(d, window, never)
          d.never = never
          d.ok = not never and (d.cost == 0 or fits(d.level + d.cost, d.most))
          d.left = floor(max(0, d.most - d.level) + 0.000001)
          d.reset = ceil(d.level * window / d.most)
          d.wait = 0
          if not d.ok and not never then d.wait = max(1, ceil((d.level + d.cost - d.most) * window / d.most)) end
        end
        local function show(d, window)
          d.left = floor(max(0, d.most - (d.level + d.cost)) + 0.000001)
          d.reset = ceil((d.level + d.cost) * window / d.most)
        end

        local function passed(spent, most)
          if spent >= most then return 3 end
          if spent * 10 >= most * 8 then return 2 end
          if spent * 2 >= most then return 1 end
          return 0
        end
        local function budget(key, store)
          local h = call('HMGET', key, 'w', 's', 'r', 'R', 'S', 'L', 'al', 'd:' .. store)
          return {start = tonumber(h[1] or -1), s = tonumber(h[2] or 0), r = tonumber(h[3] or 0), R = tonumber(h[4] or 0),
            S = tonumber(h[5] or 0), L = tonumber(h[6] or 0), al = tonumber(h[7] or 0), seeded = h[8] and true or false}
        end
        local function store_budget(key, b)
          call('HSET', key, 'w', text(b.start), 's', text(b.s), 'r', text(b.r), 'R', text(b.R), 'S', text(b.S), 'L', text(b.L),
            'al', b.al)
        end
        local function release_overdue(key, open, b, now)
          local over = call('ZRANGEBYSCORE', open, '-inf', text(now))
          if #over == 0 then return end
          for _, member in ipairs(over) do
            local amount = tonumber(string.match(member, '^(%d+):'))
            b.r = b.r - amount
            b.L = b.L + amount
          end
          call('ZREMRANGEBYSCORE', open, '-inf', text(now))
          store_budget(key, b)
        end

        local look = {}
        function look.q(d, q)
          local spent, at = read(d.key)
          d.level = leak(spent, at, d.most, MINUTE, q.now)
          d.cost = min(q.weight, d.most)
          judge(d, MINUTE, q.weight > d.most)
        end
        function look.k(d, q)
          local spent, at, excess = read(d.key)
          d.excess = excess
          d.level = leak(spent, at, d.most, MINUTE, q.now)
          local whole = min(d.most, q.tokens * excess)
          local declared = min(whole, max(0, q.tokens - q.assumed) * excess)
          local left = floor(d.most - d.level)
          d.cost = whole > 0 and min(whole, max(declared, left, 1)) or 0
          judge(d, MINUTE, false)
        end
        function look.p(d, q)
          call('ZREMRANGEBYSCORE', d.key, '-inf', text(q.now))
          local held = call('ZCARD', d.key)
          d.ok = held < d.most
          d.left, d.reset, d.wait = max(0, d.most - held), 0, d.ok and 0 or 1000000
        end
        function look.b(d, q)
          local b = budget(d.key, q.store)
          d.start = floor(q.now / d.window) * d.window
          if b.start ~= d.start then
            call('DEL', d.key, d.key2)
            b = {start = d.start, s = 0, r = 0, R = 0, S = 0, L = 0, al = 0, seeded = false}
          else
            release_overdue(d.key, d.key2, b, q.now)
          end
          d.b = b
          d.reset = d.start + d.window - q.now
          if not b.seeded then
            local start, spent = string.match(d.seed, '^(%d+) (%d+)$')
            if not start or tonumber(start) ~= d.start then
              d.gap = true
              return
            end
            b.s = b.s + tonumber(spent)
            b.al = max(b.al, passed(b.s, d.most))
            b.seeded = true
            store_budget(d.key, b)
            call('HSET', d.key, 'd:' .. q.store, 1)
            keep(d.key, d.reset / 1000 + 3600000)
          end
          local left = d.most - (b.s + b.r)
          d.ok = left > 0
          local reserved = b.r > 0 and b.s < d.most
          d.left, d.wait = max(0, left), d.ok and 0 or reserved and min(1000000, d.reset) or d.reset
        end
        function look.g(d, q)
          local spent, at = read(d.key)
          d.level = leak(spent, at, d.most, d.window, q.now)
          d.cost = 1
          judge(d, d.window, false)
        end

        local take = {}
        function take.q(d, q)
          write(d.key, d.level + d.cost, q.now, 1, d.most, MINUTE, 60000)
          show(d, MINUTE)
        end
        function take.k(d, q)
          if d.cost > 0 then write(d.key, d.level + d.cost, q.now, d.excess, d.most, MINUTE, 3600000) end
          show(d, MINUTE)
          if q.tokens > 0 then return {'k', d.key, d.most, d.cost} end
        end
        function take.p(d, q)
          call('ZADD', d.key, text(q.expires), q.admission)
          keep(d.key, (q.till - q.now) / 1000 + 60000)
          d.left = d.left - 1
          return {'p', d.key}
        end
        function take.b(d, q)
          local b = d.b
          local amount = min(q.money, d.left)
          if amount > 0 then
            b.r = b.r + amount
            b.R = b.R + amount
            store_budget(d.key, b)
            call('ZADD', d.key2, text(q.expires), text(amount) .. ':' .. q.admission)
            keep(d.key2, max(d.reset, q.till - q.now) / 1000 + 3600000)
          end
          d.left = d.left - amount
          return {'b', d.key, d.key2, d.most, d.window, d.start, amount}
        end
        function take.g(d, q) return {'g', d.key, d.most, d.window} end

        local function asked(keys, args)
          local q = {now = present(args[1]), admission = args[2], counts = args[5] == '1', weight = tonumber(args[6]),
            tokens = tonumber(args[7]), assumed = tonumber(args[8]), money = tonumber(args[9]), store = args[10]}
          q.till = q.now + tonumber(args[4])
          q.expires = args[3] == '1' and min(q.now + HOLD, q.till) or q.till
          local rules, k = {}, 2
          for a = 11, #args, 4 do
            local d = {kind = args[a], most = tonumber(args[a + 1]), window = tonumber(args[a + 2]), seed = args[a + 3],
              key = keys[k], start = 0, from = -1}
            k = k + 1
            if d.kind == 'b' then
              d.key2 = keys[k]
              k = k + 1
            end
            rules[#rules + 1] = d
          end
          return q, rules
        end

        local function answer(status, rules)
          local reply = {status}
          for _, d in ipairs(rules) do
            local n = #reply
            reply[n + 1] = d.never and 2 or (d.ok and 1 or 0)
            reply[n + 2] = d.left
            reply[n + 3] = d.reset
            reply[n + 4] = d.wait
            reply[n + 5] = d.start
            reply[n + 6] = d.from
          end
          return reply
        end

        local function ask(keys, args)
          local q, rules = asked(keys, args)
          local ok, gaps = true, {-1}
          for i, d in ipairs(rules) do
            look[d.kind](d, q)
            if d.gap then
              gaps[#gaps + 1] = i - 1
              gaps[#gaps + 1] = d.start
            end
            ok = ok and d.ok
          end
          if #gaps > 1 then return gaps end
          if not q.counts then
            for _, d in ipairs(rules) do d.ok, d.never, d.wait = true, false, 0 end
            return answer(1, rules)
          end
          if not ok then
            for _, d in ipairs(rules) do
              if d.kind == 'b' and not d.ok and d.b.al < 3 then
                d.from = d.b.al
                call('HSET', d.key, 'al', 3)
              end
            end
            return answer(0, rules)
          end
          local parts = {}
          for _, d in ipairs(rules) do parts[#parts + 1] = take[d.kind](d, q) end
          if #parts > 0 then
            local record = {id = q.admission, n = q.tokens, till = q.till, parts = parts}
            call('SET', keys[1], cmsgpack.pack(record), 'PX', ceil((q.till - q.now) / 1000) + 1000)
          end
          return answer(1, rules)
        end

        local function tell(key, b, most, window, told)
          local level = passed(b.s, most)
          if level > b.al then
            for _, word in ipairs({key, most, window, b.al, level}) do told[#told + 1] = word end
            b.al = level
          end
        end

        local settle_part = {}
        function settle_part.k(part, record, s)
          if s.abandoned then return end
          local key, most, reserved = part[2], part[3], part[4]
          local spent, at, excess = read(key)
          local level = leak(spent, at, most, MINUTE, s.now)
          local more = s.used - reserved
          if more > 0 then level = min(level + more, most * 525600) else level = max(0, level + more) end
          if s.used > 0 then
            local ratio = s.used / max(1, record.n)
            if ratio > excess then excess = min(ratio, 16) else excess = max(1, excess * 0.9 + ratio * 0.1) end
          end
          write(key, level, s.now, excess, most, MINUTE, 3600000)
        end
        function settle_part.p(part, record, s) call('ZREM', part[2], record.id) end
        function settle_part.b(part, record, s)
          local key, open, most, window, start, amount = part[2], part[3], part[4], part[5], part[6], part[7]
          local cost = s.abandoned and 0 or s.cost
          local b = budget(key, s.store)
          if b.start ~= start then return end
          if amount > 0 and call('ZREM', open, text(amount) .. ':' .. record.id) == 1 then
            b.r = b.r - amount
            b.L = b.L + max(0, amount - cost)
            b.R = b.R + max(0, cost - amount)
          else
            b.R = b.R + cost
          end
          b.S = b.S + cost
          b.s = b.s + cost
          tell(key, b, most, window, s.told)
          store_budget(key, b)
        end
        function settle_part.g(part, record, s)
          if s.abandoned or not s.ran then return end
          local key, most, window = part[2], part[3], part[4]
          local spent, at = read(key)
          local level = leak(spent, at, most, window, s.now) + 1
          if not fits(level + 1, most) then level = most + most - 1 end
          write(key, level, s.now, 1, most, window, 60000)
        end

        local function settle(keys, args)
          local s = {now = present(args[1]), store = args[2], used = tonumber(args[3]), cost = tonumber(args[4]),
            ran = args[5] == '1', abandoned = args[6] == '1', told = {0}}
          local raw = call('GET', keys[1])
          local record = raw and cmsgpack.unpack(raw)
          if raw then call('DEL', keys[1]) end
          if record and s.now < record.till then
            s.told[1] = 1
            for _, part in ipairs(record.parts) do settle_part[part[1]](part, record, s) end
            return s.told
          end
          for k = 2, #keys do
            local key, most, window = keys[k], tonumber(args[2 * k + 3]), tonumber(args[2 * k + 4])
            local b = budget(key, s.store)
            if s.cost > 0 and b.seeded and b.start == floor(s.now / window) * window then
              b.R = b.R + s.cost
              b.S = b.S + s.cost
              b.s = b.s + s.cost
              tell(key, b, most, window, s.told)
              store_budget(key, b)
            end
          end
          return s.told
        end

        local function extend(key, member, expires, now)
          local score = call('ZSCORE', key, member)
          if not score or tonumber(score) <= now then return end
          call('ZADD', key, 'XX', text(expires), member)
          keep(key, (expires - now) / 1000 + 60000)
        end
        local function renew(keys, args)
          local now = present(args[1])
          for _, key in ipairs(keys) do
            local raw = call('GET', key)
            local record = raw and cmsgpack.unpack(raw)
            if record and now < record.till then
              local expires = min(now + HOLD, record.till)
              for _, part in ipairs(record.parts) do
                if part[1] == 'p' then extend(part[2], record.id, expires, now) end
                if part[1] == 'b' and part[7] > 0 then
                  extend(part[3], text(part[7]) .. ':' .. record.id, expires, now)
                end
              end
            end
          end
          return 1
        end

        local function beat(keys, args)
          local now, ms = present(args[1]), tonumber(args[3])
          call('ZREMRANGEBYSCORE', keys[1], '-inf', text(now))
          call('ZADD', keys[1], text(now + ms * 1000), args[2])
          call('PEXPIRE', keys[1], ms)
          return call('ZCARD', keys[1])
        end

        redis.register_function('bulkhead_v1_ask', ask)
        redis.register_function('bulkhead_v1_settle', settle)
        redis.register_function('bulkhead_v1_renew', renew)
        redis.register_function('bulkhead_v1_beat', beat)
        """
}
