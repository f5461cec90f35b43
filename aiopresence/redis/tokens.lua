-- The token of one login, and the lock and the fence of its renewals, on Redis's clock.
--
-- KEYS: lock, fence, token, free. ARGV[1] is the operation; the others follow it.
--   lock   "<fence> <ms> <owner>", and expires after those ms
--   fence  the number of the latest holder; each one is greater than all before it, also after
--          this database has lost its contents, because it is at least the time in milliseconds
--   token  "<fence> <milliseconds since 1970> <content>"
--   free   a list with one element when the lock was released: those who wait for it block on it
--
-- A value that was not written here counts as none.

local lock, fence, token, free = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local MAX_SIZE = 65536
local KEEP = 86400000 -- ms

local function get(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' and redis.call('STRLEN', key) <= MAX_SIZE then
    return redis.call('GET', key)
  end
  if kind ~= 'none' then
    redis.call('DEL', key)
  end
  return nil
end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function as_fence(text)
  local digits = string.match(text or '', '^%d+')
  return digits and #digits <= 14 and tonumber(digits) or 0
end

local function latest_fence()
  return math.max(as_fence(get(fence)), as_fence(get(token)))
end

local function text_of(number)
  return string.format('%.0f', number)
end

local function hold(number, owner, lock_for)
  redis.call('SET', fence, number, 'PX', KEEP)
  redis.call('SET', lock, number .. ' ' .. lock_for .. ' ' .. owner, 'PX', lock_for)
  redis.call('DEL', free)
end

local operations = {}

-- Returns {fence, 0}, or {'', ms until the present holder's lock expires}.
function operations.lock(owner, lock_for)
  local held = get(lock)
  local number, longest, holder = string.match(held or '', '^(%d+) (%d+) (.*)$')
  if held and holder ~= owner then
    local left = redis.call('PTTL', lock)
    longest = tonumber(longest and #longest < 8 and longest or lock_for)
    if left < 0 or left > longest then -- Redis's clock may have gone back since.
      left = longest
      redis.call('PEXPIRE', lock, left)
    end
    return {'', left}
  end
  number = number or text_of(math.max(latest_fence() + 1, now()))
  hold(number, owner, lock_for)
  return {number, 0}
end

-- Returns 1 if nobody else has held the lock since; it then lasts for its whole time again.
function operations.held(owner, lock_for, number)
  local held = get(lock)
  if held ~= (number .. ' ' .. lock_for .. ' ' .. owner) and (held or get(fence) ~= number) then
    return 0
  end
  hold(number, owner, lock_for)
  return 1
end

function operations.unlock(owner, lock_for)
  if string.match(get(lock) or '', '^%d+ %d+ (.*)$') == owner then
    redis.call('DEL', lock, free)
    redis.call('RPUSH', free, 1)
    redis.call('PEXPIRE', free, lock_for)
  end
end

-- Returns {ms since the token was saved, content}, or nothing.
function operations.load()
  local at, content = string.match(get(token) or '', '^%d+ (%d+) (.*)$')
  if not content then
    return false
  end
  -- A clock that was set back makes no token younger than new.
  return {math.max(0, now() - tonumber(at)), content}
end

-- Returns 1, or 0 if another one has had the lock since. A fence of '' is that of nobody.
function operations.save(number, content, ttl)
  local latest = latest_fence()
  if number == '' then
    number = text_of(math.max(latest + 1, now()))
  elseif latest > tonumber(number) then
    return 0
  end
  redis.call('SET', fence, number, 'PX', KEEP)
  if content == '' then
    redis.call('DEL', token)
  else
    redis.call('SET', token, number .. ' ' .. text_of(now()) .. ' ' .. content, 'PX', ttl)
  end
  return 1
end

return operations[ARGV[1]](unpack(ARGV, 2))
