-- The rules of slots, headers and penalties, as in `protocol/rate_limits.py`. `limits.lua` follows
-- in the same script, and has the theory.
local LEASE, FORGET, KEPT = 5000, 3600000, 86400000
local MIN_PENALTY, MAX_PENALTY, MAX_BACKOFF, ROUNDING = 30000, 86400000, 600000, 1000
local ODD, SHARED, PER_REQUEST, PACE, GUESS = 10, 10, 8, 4, 86400000
local GRACE, FALLBACK, SHOWN = 250, 1000, 50
local LARGEST = 10 ^ 14 -- of any number in a reply
local COMPLETE, REJECT, ABANDON, RELEASE, BLOCK = 1, 2, 3, 4, 5
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

local g, o, a, now, publish -- group, owner, arguments of the call, time, messages
local is_unreadable -- the group's value

local function margin() return max(20, min(250, ceil(g.window / 240))) end

local function span() return g.window + margin() end

local function opens() return max(g.blocked, g.full + span()) end -- all may be used until `full`

local function put(list, item, time) -- into a list that is sorted by time
  local i = #list
  while i > 0 and (type(item) == 'table' and list[i][1] or list[i]) > time do
    list[i + 1] = list[i]
    i = i - 1
  end
  list[i + 1] = item
end

local function answered(time, pid)
  if time + span() > now then put(g.ans, {time, pid}, time) end
  g.resp = max(g.resp, time)
  g.sole = false
end

local function take_out(id, pid) -- a slot that was in flight
  for i, slot in ipairs(g.infl) do
    if slot[1] == id and slot[2] == pid then return table.remove(g.infl, i) end
  end
end

local function prune()
  local freed, kept = now - span(), {}
  for _, slot in ipairs(g.ans) do
    if slot[1] > freed then kept[#kept + 1] = slot else g.pruned = max(g.pruned, slot[1]) end
  end
  g.ans, kept = kept, {}
  for _, time in ipairs(g.oth) do
    if time > freed then kept[#kept + 1] = time end
  end
  g.oth = kept
end

local function set_window(window)
  local is_longer = window > g.window
  g.window = window
  -- Earlier requests are in the window again.
  if is_longer then g.full = max(g.full, g.pruned) end
  prune()
end

local function learn(r)
  if r.number < g.limits_from or (r.limit < 0 and r.window < 0) then return end
  g.limits_from = r.number
  if r.limit > 0 then
    if r.limit > g.limit then publish.wake = true end
    g.limit, g.limit_stated, g.guess = r.limit, true, false
  end
  if r.window > 0 then
    local again, ratio = r.window == g.last_window, r.window / g.window
    if again or not ((ratio < 1 / ODD or ratio > ODD) and g.window_sure) then
      set_window(r.window)
      g.window_sure = again
    end
    g.window_stated, g.last_window = true, r.window
  end
end

local function count_others(r)
  local limit = r.limit > 0 and r.limit or g.limit
  if r.remaining < 0 or r.remaining > limit then return end
  local counted = limit - r.remaining
  local others = counted - r.used - (g.taken - r.number)
  if others > 0 then g.shared = max(g.shared, r.time + SHARED * g.window) end
  if others > #g.oth then
    for _ = 1, others - #g.oth do put(g.oth, r.time, r.time) end
    g.others_from = r.number
  elseif r.number > g.others_from then
    for _ = 1, #g.oth - max(0, counted - r.used) do table.remove(g.oth, 1) end
  end
end

local function start_penalty(time, retry)
  local asked = retry > 0 and min(retry, MAX_PENALTY) + ROUNDING or max(MIN_PENALTY, g.window)
  local wait = max(asked, g.backoff)
  g.penalty = max(g.penalty, wait)
  g.blocked = max(g.blocked, time + wait)
  g.probing, g.penalties = true, g.penalties + 1
  publish.stop = true
end

local function block_all(r)
  if r.all == 0 then return end
  o.shut, o.blocks = max(o.shut, g.blocked), o.blocks + 1
  g.blocks, publish.all = o.blocks, true
end

local function complete(r)
  answered(r.time, a.pid)
  learn(r)
  count_others(r)
  if r.penalties == g.penalties then
    if g.probing then publish.wake = true end
    g.probing, g.penalty, g.backoff = false, 0, 0
  elseif g.guess and r.penalties == g.guess[3] then
    g.limit = min(g.limit + 1, g.guess[1])
  end
end

local function guess_limit()
  prune()
  if #g.ans > 0 then
    local before = g.guess and g.guess[1] or g.limit
    g.limit = min(g.limit, #g.ans)
    g.guess = {before, now + GUESS, g.penalties}
  end
end

local function reject(r)
  g.sole = false
  learn(r)
  count_others(r)
  if r.penalties == g.penalties then
    if g.probing then
      g.backoff = min(2 * g.penalty, MAX_BACKOFF)
    elseif not g.limit_stated then
      guess_limit()
    end
  end
  start_penalty(r.time, r.retry)
  g.shared = g.blocked + SHARED * g.window
  block_all(r)
end

local function apply(r)
  local held = take_out(r.id, a.pid)
  if held and g.capped then publish.wake = true end
  if r.number < 1 or r.number > g.taken then -- of an earlier record, or without a grant
    r.number, r.penalties, r.used = g.taken, -1, #g.infl + #g.ans + 1
  end
  if r.kind == COMPLETE then
    complete(r)
  elseif r.kind == REJECT then
    reject(r)
  elseif r.kind == ABANDON then
    answered(r.time, a.pid)
    if r.penalties ~= g.penalties then g.blocked = max(g.blocked, r.time + g.penalty) end
  elseif r.kind == RELEASE then
    if held then publish.wake, g.sole = true, false end
  elseif r.kind == BLOCK then
    start_penalty(r.time, r.retry)
    block_all(r)
  end
end

local function reports(p)
  for _, v in ipairs(a.reports) do
    if v[1] > p.rid then
      p.rid = v[1]
      apply({kind = v[2], id = v[3], number = v[4], penalties = v[5], used = v[6],
        time = now - v[7], limit = v[8], window = v[9], remaining = v[10], retry = v[11],
        all = v[12]})
    end
  end
end
