-- Which process of a fleet follows which account.
--
-- KEYS: members  sorted set: process -> when it is presumed dead, in ms
--       leases   sorted set: account -> when another process may follow it, in ms
--       holders  hash: account -> the process that follows it, or did so last
--       reports  hash: account -> "<time in ms> <JSON>": how its board was
-- ARGV: the operation, and its arguments.
--
-- A lease keeps two processes from following the same account needlessly. It is not what keeps
-- boards right: that is the fence of each board (board.lua).

local MEMBERS, LEASES, HOLDERS, REPORTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- What nobody has followed for a day is forgotten.
local FORGET = 86400000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function lease_left(account)
  return (tonumber(redis.call('ZSCORE', LEASES, account) or '') or 0) - now
end

local function hold(process, account, lease)
  redis.call('HSET', HOLDERS, account, process)
  redis.call('ZADD', LEASES, now + tonumber(lease), account)
end

local function forget_old()
  for _, account in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now - FORGET)) do
    redis.call('ZREM', LEASES, account)
    redis.call('HDEL', HOLDERS, account)
    redis.call('HDEL', REPORTS, account)
  end
end

local operations = {}

-- Renew the leases of accounts, given each with a report. Returns how many processes there are, and
-- the accounts that another one follows now.
function operations.renew(process, lease, ...)
  redis.call('ZREMRANGEBYSCORE', MEMBERS, '-inf', now)
  redis.call('ZADD', MEMBERS, now + tonumber(lease), process)
  forget_old()
  local lost, items = {}, {...}
  for i = 1, #items, 2 do
    local account, report = items[i], items[i + 1]
    local holder = redis.call('HGET', HOLDERS, account)
    if holder and holder ~= process and lease_left(account) > 0 then
      lost[#lost + 1] = account
    else
      hold(process, account, lease)
      redis.call('HSET', REPORTS, account, string.format('%.0f ', now) .. report)
    end
  end
  return {redis.call('ZCARD', MEMBERS), lost}
end

-- Become the holder of up to `most` of some accounts. Returns those.
function operations.claim(process, lease, most, ...)
  local claimed = {}
  for _, account in ipairs({...}) do
    if #claimed >= tonumber(most) then break end
    if lease_left(account) <= 0 or redis.call('HGET', HOLDERS, account) == process then
      hold(process, account, lease)
      redis.call('HDEL', REPORTS, account)
      claimed[#claimed + 1] = account
    end
  end
  return claimed
end

-- Leave accounts to other processes.
function operations.release(process, ...)
  for _, account in ipairs({...}) do
    if redis.call('HGET', HOLDERS, account) == process then
      redis.call('ZADD', LEASES, now, account)
    end
  end
  return 'ok'
end

-- Leave the fleet.
function operations.leave(process)
  redis.call('ZREM', MEMBERS, process)
  return 'ok'
end

-- Return the processes, the next cursor, and for each of some accounts its name, its process, the
-- ms that its lease is valid for, the ms since its report, and the report.
function operations.look(cursor)
  local part = redis.call('HSCAN', HOLDERS, cursor, 'COUNT', 500)
  local accounts, items = {}, part[2]
  for i = 1, #items, 2 do
    local report = redis.call('HGET', REPORTS, items[i]) or ''
    local at, json = string.match(report, '^(%d+) (.*)$')
    accounts[#accounts + 1] = {items[i], items[i + 1], lease_left(items[i]),
      math.max(0, now - (tonumber(at or '') or now)), json or ''}
  end
  return {redis.call('ZRANGEBYSCORE', MEMBERS, '(' .. now, '+inf'), part[1], accounts}
end

return operations[ARGV[1]](unpack(ARGV, 2))
