// Revenue of a month against its target. Targets are of the whole shop, in all regions and categories.

/**
 * Return the target of a currency, with the revenue of the month in which the period ends;
 * null without a target, where a region or a category is selected, and in converted money: a target is
 * of the orders in its currency.
 */
function monthAgainstTarget(rows, filters, money, lastDay) {
  const { targets } = pageData;
  const { currency } = money;
  if (money.rates !== null || targets[currency] === undefined || filters.region !== null || filters.category !== null) return null;
  const month = monthOf(filters.to ?? lastDay);
  const days = { from: month, to: addDays(GRAINS.month.next(month), -1) };
  const { revenue } = sumPeriod(rows, { ...filters, ...days }, money);
  return { month, end: days.to, revenue, target: parseAmount(targets[currency]) };
}

/** Show how much of its target a month has reached. */
function showTarget({ target, money }, today) {
  setText("revenue-target", target === null ? "" : describeTarget(target, money.currency, today));
}

function describeTarget({ month, end, revenue, target }, currency, today) {
  const share = percentFormat.format(formatDecimal(revenue * ONE, 3, target));
  const soFar = month <= today && today <= end ? " so far" : "";
  const amounts = [revenue, target].map((amount) => formatMoney(amount, currency));
  return `${formatTime(monthFormat, month)}${soFar}: ${amounts[0]}, ${share} of the target ${amounts[1]}`;
}
