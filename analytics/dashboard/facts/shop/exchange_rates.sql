-- Exchange rates of all days: null where those of a day differ, and the currency that they lead to
SELECT
  currency,
  day,
  CASE WHEN lowest = highest THEN CAST(lowest AS varchar) END AS rate,
  CASE WHEN lowest_reporting = highest_reporting THEN lowest_reporting END AS reporting_currency
FROM (
  SELECT
    currency,
    TRY_CAST(day AS date) AS day,
    min(TRY_CAST(rate AS decimal(20, 12))) AS lowest,
    max(TRY_CAST(rate AS decimal(20, 12))) AS highest,
    min(min(reporting_currency)) OVER () AS lowest_reporting,
    max(max(reporting_currency)) OVER () AS highest_reporting
  FROM exchange_rates
  GROUP BY currency, TRY_CAST(day AS date)
)
WHERE currency IS NOT NULL AND day IS NOT NULL
ORDER BY currency, day
