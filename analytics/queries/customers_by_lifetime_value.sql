-- Top ten customers of each currency by lifetime value: totals of sold orders, including tax
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT currency, place, customer_id, customer_name, country, orders, lifetime_value, last_paid_at
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY currency ORDER BY lifetime_value DESC, customer_id) AS place
  FROM (
    SELECT
      currency,
      customer_id,
      max_by(customer_name, paid_at) AS customer_name,
      max_by(country, paid_at) AS country,
      count(*) AS orders,
      CAST(sum(total) AS decimal(38, 2)) AS lifetime_value,
      max(paid_at) AS last_paid_at
    FROM (
      SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
      FROM orders
    )
    WHERE sold
      AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
      AND coalesce(region, '') LIKE ?
    GROUP BY currency, customer_id
  )
)
WHERE place <= 10
ORDER BY currency, place
