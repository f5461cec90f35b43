-- Decide how many requests of one usage-plan group a process may send now.
--
-- Theory. `protocol/rate_limits.py` has the rules of slots, headers, penalties and probes; they
-- are the same here, for all processes together. What sharing adds:
--
-- * Slots. A slot is in flight from its grant until its process reports how the request ended, as
--   an age in ms, so that reports may come late, together, or again: each has a number, and is
--   applied once. It is free one span (window + margin) after the response. The slots in flight of
--   a process that is silent for LEASE count as answered then.
-- * Lost replies. A process numbers its calls; one that is older than the last is ignored. Each
--   call states how many slots the process holds. When that differs from what is recorded (a reply
--   was lost, Redis lost its data, a lease ended), it states which ones, and the record follows.
-- * Fairness. A process that uses less than limit / demanders is served first; others get what is
--   left when all those have what they ask for. Demand expires, so the dead delay nobody.
-- * When nothing is granted, the reply says when to ask again: nothing that is in flight can be
--   free sooner than one span from now. Earlier changes are published.
-- * Quiet. After a quarter of a window without responses the first request is sent alone: if
--   others have caused a penalty meanwhile, it costs one 429, not one for each process.
-- * Clock. Redis's clock may be set, and another server may take over. Time here never goes back,
--   and no more has passed since the last call of a process than its own monotonic clock shows,
--   and a tolerance because one call may take longer than the other. Each span includes that.
--   What is taken out is lost: adding it later would make the time between two records too long.
-- * Lost data. If the record is gone although the caller or the owner's record knew it, if it cannot
--   be read, or if the server is another one (its replication may have lost the last second), the
--   window counts as full for one span. A record that nobody knew starts with a probe. Another
--   server is not noticed without permission for INFO.
-- * Seats (outage="share"). Each process has a seat, worth floor(limit / seats). That of a process
--   silent for LEASE is withheld: it may be sending on its own. It is forgotten after FORGET.
--
-- All state is two values: KEYS[1] clock and block of the owner, and until when each group's record
-- matters; KEYS[2] the group. ARGV[1] the call as JSON, ARGV[2] the channel. Times are in ms.
-- `limits_rules.lua` comes before this file in the same script.

local function end_leases()
  for pid, p in pairs(g.procs) do
    if now - p.seen > LEASE and pid ~= a.pid or p.gone then
      local kept = {}
      for _, slot in ipairs(g.infl) do
        if slot[2] == pid then
          answered(min(now, p.seen + LEASE), pid)
        else
          kept[#kept + 1] = slot
        end
      end
      if #kept < #g.infl and g.capped then publish.wake = true end
      g.infl = kept
      if p.gone or now - p.seen > LEASE + 2 * span() then g.procs[pid] = nil end
    end
  end
end

-- Return whether the slots that the process says it holds are those recorded.
local function reconcile()
  if type(a.held) == 'number' then
    local count = 0
    for _, slot in ipairs(g.infl) do
      if slot[2] == a.pid then count = count + 1 end
    end
    return count == a.held
  end
  local kept, before = {}, #g.infl
  for _, slot in ipairs(g.infl) do
    if slot[2] ~= a.pid then kept[#kept + 1] = slot end
  end
  for _, id in ipairs(a.held) do kept[#kept + 1] = {id, a.pid} end
  if #kept < before then publish.wake, g.sole = true, false end
  g.infl = kept
  return true
end

-- Seat the process, and return the slots that are withheld for silent seats.
local function seats()
  local own, empty, silent, withheld = nil, nil, nil, 0
  for i = #g.seats + 1, a.seats do g.seats[i] = {'', g.lost and now or -1, ''} end
  for i, seat in ipairs(g.seats) do
    if i > a.seats or now - seat[2] > FORGET then seat[1], seat[2], seat[3] = '', -1, '' end
    if seat[1] == a.pid or (a.name ~= '' and seat[3] == a.name) then own = own or seat end
    if seat[2] < 0 and i <= a.seats then empty = empty or seat end
    if seat[2] >= 0 and (now - seat[2] > LEASE or seat[1] == '') then
      if not silent or seat[2] < silent[2] then silent = seat end
    end
  end
  own = own or empty or silent
  if own then own[1], own[2], own[3] = a.pid, now, a.name end
  if own and a.bye == 1 then own[1], own[2], own[3] = '', -1, '' end
  for _, seat in ipairs(g.seats) do
    if seat[2] >= 0 and (now - seat[2] > LEASE or seat[1] == '') then
      withheld = withheld + floor(g.limit / a.seats)
    end
  end
  return own and 1 or 0, withheld
end

local function most_in_flight(free)
  if g.probing or g.sole then return 1 end
  if now >= g.shared then return math.huge end
  local since = (now - g.resp) / g.window * g.limit * PACE
  return max(1, floor((free - since) / PER_REQUEST))
end

-- Return share and use of the process, and how many slots are owed to others.
local function fair_share(limit)
  local used, demanders, owed = {}, 1, 0
  for _, list in ipairs({g.infl, g.ans}) do
    for _, slot in ipairs(list) do used[slot[2]] = (used[slot[2]] or 0) + 1 end
  end
  for pid, p in pairs(g.procs) do
    if pid ~= a.pid and p.want > 0 and p.by >= now then demanders = demanders + 1 end
  end
  local share = floor(limit / demanders)
  for pid, p in pairs(g.procs) do
    if pid ~= a.pid and p.want > 0 and p.by >= now then
      owed = owed + min(p.want, max(0, share - (used[pid] or 0)))
    end
  end
  return share, used[a.pid] or 0, owed
end

-- Take slots for the requests that leave `keep` slots free; return how many.
local function grant(free, keep, count, share, used, owed)
  keep = min(keep, g.limit - 1)
  local room = max(0, free - keep)
  local own = min(count, room, max(0, share - used))
  local wanted = own + min(count - own, max(0, room - own - owed))
  local granted = 0
  while granted < wanted do
    if #g.infl > 0 and #g.infl >= most_in_flight(free - granted - keep) then
      g.capped = true
      break
    end
    if #g.infl == 0 and not g.probing and now - g.resp > g.window / 4 then g.sole = true end
    granted = granted + 1
    g.taken = g.taken + 1
    g.infl[#g.infl + 1] = {a.next + a.granted, a.pid}
    a.granted = a.granted + 1
  end
  return granted
end

-- Return the times in which used slots become free, in order.
local function free_in()
  local times = {}
  for _, slot in ipairs(g.ans) do times[#times + 1] = slot[1] + span() - now end
  for _, time in ipairs(g.oth) do times[#times + 1] = time + span() - now end
  table.sort(times)
  return times
end

local function come_back(times, free, keep, want, share, used, owed)
  if now < opens() then return opens() - now end
  if g.capped or g.sole or (g.probing and #g.infl > 0) then
    g.capped = true -- who ends it wakes the others up
    return min(g.window, FALLBACK)
  end
  local nth = 1 + min(keep, g.limit - 1) - free
  local first
  if used >= share then
    nth = nth + owed
    local own = share - used
    for _, slot in ipairs(g.ans) do -- or when it uses less than its share
      if slot[2] == a.pid then own = own + 1 end
      if own > 0 then
        first = slot[1] + span() - now
        break
      end
    end
  end
  nth = max(1, nth)
  local back = min(times[nth] or span(), first or span())
  -- As many as are wanted at once, unless that takes long.
  local batch = times[min(nth + want - 1, #times)] or back
  return max(1, back, min(batch, back + min(60, floor(g.window / 16))))
end

local function new_group(lost)
  return {epoch = a.pid .. ':' .. a.seq, limit = a.limit, window = a.window,
    limit_stated = false, window_stated = false, window_sure = false, last_window = -1,
    limits_from = 0, others_from = 0, taken = 0, penalties = 0, probing = true, sole = false,
    penalty = 0, backoff = 0, blocked = 0, full = 0, shared = 0, resp = 0, pruned = -1e15,
    guess = false, blocks = o.blocks, capped = false, lost = lost, last = 0, run = '',
    infl = {}, ans = {}, oth = {}, procs = {}, seats = {}}
end

local function tick(raw, known)
  now = raw + o.offset
  if a.at >= 0 and known then
    now = min(now, a.at + a.most + (g and margin() or 20))
  end
  now = max(now, o.last, g and g.last or 0)
  o.offset, o.last = now - raw, now
end

-- Use limits that the process knows, or its presets, unless a response has stated others.
local function assume()
  if not g.limit_stated and not g.guess then
    g.limit, g.limit_stated = a.limit, a.stated % 2 == 1
  end
  if not g.window_stated then
    set_window(a.window)
    g.window_stated = a.stated >= 2
  end
end

-- Return until when the record of the group matters, though there is none; 0 if nobody knew it.
local function missing()
  for key, time in pairs(o.groups) do
    if time <= now then o.groups[key] = nil end
  end
  return max(is_unreadable and now or 0, o.groups[KEYS[2]] or 0)
end

local function decide(raw, run)
  o = o or {offset = 0, last = 0, shut = 0, blocks = 0}
  o.groups = o.groups or {}
  tick(raw, not g or g.epoch == a.epoch)
  local lost = a.epoch ~= '' and (not g or g.epoch ~= a.epoch)
  if not g then
    local time = missing()
    g = new_group(lost or time > 0)
    g.blocked = o.shut
    g.full = g.lost and max(now, time - span()) or 0
  elseif lost and not g.lost then -- a process that knew nothing came first
    g.lost, g.full = true, now
  elseif run ~= '' and g.run ~= run then
    g.full = now
  end
  g.run, g.last = run, now
  if lost then g.blocked = max(g.blocked, now + a.penalty) end
  assume()
  local p = g.procs[a.pid] or {seq = 0, rid = 0, seen = now, want = 0, by = 0}
  g.procs[a.pid] = p
  if a.seq <= p.seq then return nil end
  p.seq, p.seen = a.seq, now
  if g.blocks < o.blocks then
    g.blocks, g.probing, g.penalties = o.blocks, true, g.penalties + 1
    g.blocked = max(g.blocked, o.shut)
  end
  prune()
  reports(p)
  local agreed = reconcile()
  p.gone = a.bye == 1 or nil
  end_leases()
  prune()
  if g.guess and now >= g.guess[2] then g.limit, g.guess = g.guess[1], false end
  local seat, withheld = 0, 0
  if a.seats > 0 then seat, withheld = seats() end
  local limit = g.limit - withheld
  local free = limit - #g.infl - #g.ans - #g.oth
  local share, used, owed = fair_share(limit)
  local number, in_use = g.taken + 1, #g.infl + #g.ans + 1
  local grants, want, keep = {}, 0, 0
  local open = agreed and now >= opens()
  if publish.wake then g.capped = false end
  for i, w in ipairs(a.wants) do
    local n = open and grant(free, w[1], w[2], share, used, owed) or 0
    free, used, grants[i] = free - n, used + n, n
    if n < w[2] then want, keep = want + w[2] - n, want == 0 and w[1] or min(keep, w[1]) end
  end
  local times = free_in()
  local back = -1
  if not agreed then
    back = 0
  elseif want > 0 then
    back = come_back(times, free, keep, want, share, used, owed)
  end
  p.want, p.by = want, now + max(back, 0) + GRACE
  o.groups[KEYS[2]] = max(now + span() + (#g.infl > 0 and LEASE or 0), opens())
  local step = max(1, ceil(#times / SHOWN))
  local shown = {}
  for i = step, #times, step do shown[#shown + 1] = times[i] end
  local prompt = (g.probing or g.sole or g.capped or now < g.shared) and 1 or 0
  return {g.epoch, now, g.limit, g.window, margin(), max(0, free), max(0, opens() - now),
    back, g.penalties, number, in_use, grants, step, shown, agreed and 0 or 1, prompt, seat, p.rid,
    max(0, g.blocked - now), (g.limit_stated and 1 or 0) + (g.window_stated and 2 or 0)}
end

-- Return the value of a key, and whether there is one that cannot be read.
local function load(key)
  local text = redis.pcall('GET', key)
  if not text then return nil, false end
  local ok, value = pcall(cmsgpack.unpack, type(text) == 'string' and text or '')
  if ok and type(value) == 'table' then return value, false end
  return nil, true
end

local function save(key, value)
  redis.call('SET', key, cmsgpack.pack(value), 'PX', KEPT + floor(max(0, (g.blocked or 0) - now) + g.window))
end

if ARGV[1] == '' then -- to load it before it is needed, and to show whether it may be run
  redis.call('SETRANGE', KEYS[1], 0, '') -- changes nothing
  redis.call('PUBLISH', ARGV[2], ' -') -- a change of no group
  return ''
end
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and info:match('run_id:(%w+)') or ''
local t = redis.call('TIME')
local raw = t[1] * 1000 + floor(t[2] / 1000)

-- Raise an error if a reply, and so a value that it was made from, cannot be right.
local function check(reply)
  assert(type(reply[1]) == 'string')
  for i = 2, 20 do
    local is_list = i == 12 or i == 14
    for _, number in ipairs(is_list and reply[i] or {reply[i] or false}) do
      assert(floor(number) == number and math.abs(number) < LARGEST)
    end
  end
  assert(g.limit > 0 and g.window > 0 and g.blocked >= 0 and g.full >= 0)
  assert(reply[7] <= MAX_PENALTY + ROUNDING + 2 * span())
  for _, slot in ipairs(g.infl) do assert(g.procs[slot[2]]) end
end

local function attempt(uses_owner, uses_group)
  publish, a.granted, o, g = {}, 0, nil, nil
  if uses_owner then o = load(KEYS[1]) end
  if uses_group then g, is_unreadable = load(KEYS[2]) end
  local reply = decide(raw, run)
  if reply then check(reply) end
  return reply
end

a = cjson.decode(ARGV[1])
a = {pid = a[1], seq = a[2], epoch = a[3], at = a[4], most = a[5], next = a[6],
  held = a[7], reports = a[8], wants = a[9], limit = a[10], window = a[11], stated = a[12],
  penalty = a[13], seats = a[14], name = a[15], bye = a[16]}
local ok, reply = pcall(attempt, true, true)
if not ok then -- one of the values was not written by this script
  is_unreadable = true
  ok, reply = pcall(attempt, true, false)
end
if not ok then ok, reply = pcall(attempt, false, true) end
if not ok then
  is_unreadable = true
  reply = attempt(false, false)
end
if not reply then return '' end
save(KEYS[1], o)
save(KEYS[2], g)
if publish.all then
  redis.pcall('PUBLISH', ARGV[2], reply[2] .. ' ')
elseif publish.stop then
  redis.pcall('PUBLISH', ARGV[2], reply[2] .. ' ' .. KEYS[2])
elseif publish.wake then
  redis.pcall('PUBLISH', ARGV[2], ' ' .. KEYS[2])
end
return cjson.encode(reply)
