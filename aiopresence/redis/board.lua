-- The board of one account in Redis: who follows RingCentral's events, and what it has published.
--
-- KEYS: lease    "<who follows> <ms>", until it expires
--       fence    a number that grows with each follower
--       records  hash: extension -> "<version> <JSON>"
--       stream   the last entries, capped; the id of an entry is its version, "<fence>-<number>"
--       meta     hash: last (the version of the last entry), count (of records), status (JSON),
--                beat and silence (when the follower last wrote, and for how long RingCentral had
--                been silent then, in ms)
-- ARGV: the operation, and its arguments.
--
-- An entry has the version of the one before (p), the status (s, empty if it has not changed), the
-- silence (a), and the states of extensions. Only the holder of the present fence may write, and
-- only if Redis has exactly what this holder wrote last: so the write of an earlier holder, a write
-- that is repeated, and anything that Redis has lost are found by the same check.
--
-- Whatever is in the keys may have been put there by somebody else, so types are checked first.

local LEASE, FENCE, RECORDS, STREAM, META = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local TYPES = {
  [LEASE] = 'string', [FENCE] = 'string', [RECORDS] = 'hash', [STREAM] = 'stream', [META] = 'hash',
}
-- Larger numbers are not exact in Lua.
local LARGEST = 2 ^ 52

local function is_usable(key)
  local type = redis.call('TYPE', key).ok
  return type == 'none' or type == TYPES[key]
end

local function number(text)
  local value = tonumber(text or '') or 0
  return value >= 0 and value < LARGEST and value or 0
end

local function integer(value)
  return string.format('%.0f', value)
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function fence()
  return is_usable(FENCE) and number(redis.call('GET', FENCE)) or 0
end

-- Return whether version a is older than b; '' is older than all.
local function is_older(a, b)
  local a_fence, a_number = string.match(a, '^(%d+)-(%d+)$')
  local b_fence, b_number = string.match(b, '^(%d+)-(%d+)$')
  a_fence, b_fence = number(a_fence), number(b_fence)
  return a_fence < b_fence or (a_fence == b_fence and number(a_number) < number(b_number))
end

-- Return the version of the last entry; '' if anything of the board is missing.
local function last_version()
  for key in pairs(TYPES) do
    if not is_usable(key) then return '' end
  end
  local meta = redis.call('HMGET', META, 'last', 'count')
  local of = string.match(meta[1] or '', '^(%d+)-%d+$')
  local is_whole = of == integer(fence()) and redis.call('HLEN', RECORDS) == tonumber(meta[2] or '')
  return is_whole and redis.call('EXISTS', STREAM) == 1 and meta[1] or ''
end

-- Return who has the lease, and for how many ms; '' and 0 if nobody has. It never lasts longer than
-- from now: Redis's clock may have gone back since.
local function lease()
  local value = is_usable(LEASE) and redis.call('GET', LEASE)
  if not value then return '', 0 end
  local holder, longest = string.match(value, '^(%x+) (%d+)$')
  local left = redis.call('PTTL', LEASE)
  if not holder or left < 0 then return '', 0 end
  if left > number(longest) then
    left = number(longest)
    redis.call('PEXPIRE', LEASE, left)
  end
  return holder, left
end

-- Keep what nobody follows any more for a while only.
local function expire(ttl)
  for _, key in ipairs({FENCE, RECORDS, STREAM, META}) do redis.call('PEXPIRE', key, ttl) end
end

local operations = {}

-- Become the follower, if there is none. `seen` is the newest version the caller knows: if Redis
-- has less, everything is published again. Returns 'held' and the remaining ms, or 'ok', the fence,
-- and the version before; that is '' if the board begins anew.
function operations.claim(holder, ms, seen, keep, ttl)
  local held, left = lease()
  if left > 0 and held ~= holder then return {'held', left} end
  for key in pairs(TYPES) do
    if not is_usable(key) then redis.call('DEL', key) end
  end
  local before = last_version()
  if before == '' or is_older(before, seen) then
    before = ''
    redis.call('DEL', RECORDS, STREAM, META)
  end
  local seen_fence = number(string.match(seen, '^%d+'))
  local new = integer(math.max(fence() + 1, seen_fence + 1, now()))
  local version = new .. '-0'
  redis.call('SET', FENCE, new)
  redis.call('SET', LEASE, holder .. ' ' .. ms, 'PX', ms)
  local added = redis.pcall('XADD', STREAM, 'MAXLEN', keep, version, 'p', before)
  if type(added) == 'table' then -- An error: something else is in the stream.
    redis.call('DEL', STREAM)
    redis.call('XADD', STREAM, version, 'p', before)
  end
  redis.call('HSET', META, 'last', version, 'count', redis.call('HLEN', RECORDS))
  expire(ttl)
  return {'ok', new, before}
end

-- Renew the lease, and publish the records, and the status unless it is '' or what Redis has. A lease
-- of 0 ends it. Returns the version of the last entry; or '' if another follower has a higher fence,
-- or Redis does not have what this one wrote.
function operations.publish(holder, ms, before, version, keep, ttl, silence, status, ...)
  local last = last_version()
  if last == version then return last end -- The reply to this same call was lost.
  if last ~= before or #redis.call('XRANGE', STREAM, version, '+', 'COUNT', 1) > 0 then
    return ''
  end
  if ms == '0' then
    redis.call('DEL', LEASE)
  else
    redis.call('SET', LEASE, holder .. ' ' .. ms, 'PX', ms)
  end
  redis.call('HSET', META, 'beat', integer(now()), 'silence', silence)
  local records = {...}
  local is_first = string.find(before, '-0$') -- The status in Redis is that of another follower.
  if not is_first and status == redis.call('HGET', META, 'status') then status = '' end
  if status ~= '' or #records > 0 then
    last = version
    redis.call('XADD', STREAM, 'MAXLEN', keep, version, 'p', before, 's', status, 'a', silence, ...)
    for i = 1, #records, 2 do
      if records[i + 1] == '' then
        redis.call('HDEL', RECORDS, records[i])
      else
        redis.call('HSET', RECORDS, records[i], version .. ' ' .. records[i + 1])
      end
    end
    if status ~= '' then redis.call('HSET', META, 'status', status) end
    redis.call('HSET', META, 'last', version, 'count', redis.call('HLEN', RECORDS))
  end
  expire(ttl)
  return last
end

-- Return how things are: the fence, the last version ('' if anything is missing), the ms that the
-- lease has left, the ms since RingCentral was heard ('' if never), and the status. A fence that is
-- known to have been higher is restored: with a lower one, nobody would accept what is written.
function operations.look(seen)
  local seen_fence, current = number(string.match(seen, '^%d+')), fence()
  if seen_fence > current and is_usable(FENCE) then
    current = seen_fence
    redis.call('SET', FENCE, integer(current))
  end
  local last = last_version()
  local _, left = lease()
  if last == '' then return {integer(current), '', left, '', ''} end
  local meta = redis.call('HMGET', META, 'beat', 'silence', 'status')
  local age = meta[2] and meta[2] ~= '' and now() - number(meta[1]) + number(meta[2])
  local text = age and integer(math.max(age, 0)) or ''
  return {integer(current), last, left, text, meta[3] or ''}
end

-- Return a part of the records, and where the next part begins.
function operations.scan(cursor, count)
  if not is_usable(RECORDS) then return {'0', {}} end
  return redis.call('HSCAN', RECORDS, cursor, 'COUNT', count)
end

-- Remove records that cannot be read: the follower finds that they are missing.
function operations.remove(...)
  return is_usable(RECORDS) and redis.call('HDEL', RECORDS, ...) or 0
end

return operations[ARGV[1]](unpack(ARGV, 2))
